// node_modules as package-lock.json says, by `npm ci`, and only when it is not so already. No package's install script runs.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { assertDone, NODE, ROOT, runProgram } from "./run-program.mjs";
import { SetupError, step } from "./say.mjs";

const LOCK = join(ROOT, "package-lock.json");
/** npm's own note of what it installed; written last, so that an `npm ci` that broke off leaves none. */
const INSTALLED = join(ROOT, "node_modules", ".package-lock.json");

/** Whether an optional package is meant for this kind of host: it names our system and processor, and no other C library. */
const isForThisHost = ({ os, cpu, libc }) =>
  Boolean(os?.includes("linux") && cpu?.includes("x64") && (libc === undefined || libc.includes("glibc")));

/**
 * Paths of the packages that are not installed as the lock file says. An optional package for other hosts may be
 * missing, but not be of another version.
 */
export function differences(lock, installed) {
  return Object.entries(lock.packages)
    .filter(([path]) => path !== "")
    .filter(([path, want]) => {
      const have = installed.packages[path];
      if (have === undefined) return !want.optional || isForThisHost(want);
      return have.version !== want.version || have.integrity !== want.integrity;
    })
    .map(([path]) => path);
}

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));
const isInstalled = () =>
  existsSync(NODE) && existsSync(INSTALLED) && differences(readJson(LOCK), readJson(INSTALLED)).length === 0;

/**
 * Under sudo the clone still belongs to its owner: npm runs as that user, so that their own next `git pull` and
 * `npm ci` find no files of root's.
 */
export function asOwner(environment = process.env) {
  const { uid, gid } = statSync(ROOT);
  if (process.getuid() !== 0 || uid === 0) return { env: environment };
  const home = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(uid))?.[5];
  // npm tells its children its own cache; root's is closed to the owner.
  const { npm_config_cache: _, ...env } = environment;
  return { uid, gid, env: { ...env, HOME: home ?? ROOT } };
}

/** Installs what package-lock.json names, unless it is there. */
export async function needNodeModules() {
  if (isInstalled()) return;
  // Under `npm start`, npm names its own program: the same npm installs, whatever PATH says.
  const npm = process.env.npm_execpath;
  const ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
  const { env, ...owner } = asOwner();
  const asNode24 = `--require "${join(ROOT, "setup", "node-24-for-npm.cjs")}"`;
  const options = {
    ...owner,
    env: { ...env, NODE_OPTIONS: [env.NODE_OPTIONS, asNode24].filter(Boolean).join(" ") },
  };
  const code = await step("installing the npm packages that package-lock.json names", () =>
    npm?.endsWith(".js") ? runProgram(process.execPath, [npm, ...ci], options) : runProgram("npm", ci, options),
  );
  assertDone(
    code,
    `npm ci ended with ${code}`,
    "npm's lines above say why; put it right, then run the same command again.",
  );
  const wrong = isInstalled() ? [] : differences(readJson(LOCK), readJson(INSTALLED));
  if (wrong.length > 0) {
    throw new SetupError(`npm left out ${wrong.join(", ")}`, "Remove node_modules and run the same command again.");
  }
}
