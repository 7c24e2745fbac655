// The edge of the settings: finds and reads slipway.yaml, makes its paths absolute, throws every fault in one BAD_CONFIG.
// server/main.ts and the CLI call it.
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { SlipwayError } from "../contract/errors.ts";
import { type ConfigFault, checkSettings } from "./check-settings.ts";
import type { Config, SETTINGS, Values } from "./settings.ts";
import { MAX_FILE_BYTES } from "./yaml-tree.ts";

/** The directory that holds the `slipway` launcher: where paths start when there is no settings file. */
export const PROJECT_DIR = resolve(import.meta.dirname, "../..");

export type ReadConfigOptions = {
  /** `--config`; without it see {@link findConfigFile}. */
  file?: string | undefined;
  /** `--interface NAME`, each time it was given: added with every default unless the file has it. */
  interfaceNames?: readonly string[];
  /** Ready values that go over the file's: for programs (lab, tests), not for people. Port 0 is allowed here. */
  overrides?: Overrides;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  projectDir?: string;
};
type Overrides = {
  [K in keyof Values<typeof SETTINGS>]?: Partial<Values<typeof SETTINGS>[K]> | Values<typeof SETTINGS>[K];
};

/** `file` is absent when every setting is its default. */
export type ReadConfig = Config & { file?: string };

/**
 * Reads the settings.
 *
 * @throws SlipwayError BAD_CONFIG whose message is one fault a line, `slipway.yaml:12:9: interfaces.eth1.dhcp: must be …`,
 *   and whose `faults` are the same as data.
 */
export function readConfig(options: ReadConfigOptions = {}): ReadConfig {
  const { env = process.env, cwd = process.cwd(), projectDir = PROJECT_DIR, overrides = {} } = options;
  const file = options.file === undefined ? findConfigFile(cwd, projectDir) : resolve(cwd, options.file);
  const fileName = file === undefined ? "slipway.yaml" : shortName(file, cwd);
  const baseDir = file === undefined ? projectDir : dirname(file);
  const checked = checkSettings(file === undefined ? "" : readText(file, fileName), {
    fileName,
    interfaceNames: options.interfaceNames ?? [],
    resolvePath: (path) => realPath(resolve(baseDir, expandHome(path, env))),
  });
  if (checked.kind === "faults") throw badConfig(checked.faults);
  return { ...(file === undefined ? {} : { file }), ...mergeOverrides(checked.config, overrides) };
}

/** `./slipway.yaml`, else the one beside the launcher, else none: then all settings are their defaults. */
export function findConfigFile(cwd: string, projectDir = PROJECT_DIR): string | undefined {
  return [join(cwd, "slipway.yaml"), join(projectDir, "slipway.yaml")].find((path) => existsSync(path));
}

/** Home of the person who called: under sudo not root's, so that `sudo npm start` and `./slipway` mean the same files. */
export function homeOf(env: NodeJS.ProcessEnv): string {
  const user = process.getuid?.() === 0 ? env.SUDO_USER : undefined;
  if (user === undefined || user === "root") return env.HOME || homedir();
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((l) => l.startsWith(`${user}:`));
  return line?.split(":")[5] ?? env.HOME ?? homedir();
}

const expandHome = (path: string, env: NodeJS.ProcessEnv): string =>
  path === "~" || path.startsWith("~/") ? join(homeOf(env), path.slice(1)) : path;

/** Follows links as far as the path exists, so that a link cannot hide an identity inside dataDir. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), basename(path));
}

function readText(file: string, fileName: string): string {
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES)
      throw badConfig([{ at: fileName, message: `has ${size} bytes; a settings file has at most ${MAX_FILE_BYTES}` }]);
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    if (cause instanceof SlipwayError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const message = WHY_UNREADABLE[code] ?? `cannot be read: ${(cause as Error).message}`;
    throw badConfig([{ at: fileName, message }], cause);
  }
}
const WHY_UNREADABLE: Record<string, string> = {
  ENOENT: "there is no such file; create it, or leave --config out: every setting has a default",
  EACCES: "may not be read by this user",
  EISDIR: "is a directory, not a file",
  ERR_ENCODING_INVALID_ENCODED_DATA: "is not UTF-8 text",
};

const badConfig = (faults: readonly ConfigFault[], cause?: unknown): SlipwayError =>
  new SlipwayError("BAD_CONFIG", faults.map((f) => `${f.at}: ${f.message}`).join("\n"), { cause, faults });

function mergeOverrides(config: Config, overrides: Overrides): Config {
  const merged: Record<string, unknown> = { ...config };
  for (const [key, value] of Object.entries(overrides)) {
    const isGroup = typeof value === "object" && value !== null;
    merged[key] = isGroup ? { ...(merged[key] as object), ...value } : value;
  }
  return merged as Config;
}

/** Relative when that is shorter to read. */
function shortName(file: string, cwd: string): string {
  const near = relative(cwd, file);
  return near.startsWith("..") || isAbsolute(near) ? file : near;
}
