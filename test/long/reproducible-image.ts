// Two builds of Slipway OS that share nothing but the downloads: another path, umask, time zone, language and clock, empty
// caches. Every file must come out with the same SHA-256.
//   node test/long/reproducible-image.ts [--arch amd64] [--variant base|full] [--sabotage]
// `--variant full` compiles Kubernetes twice, from modules that are shared and compiled packages that are not: an hour or two.
// `--sabotage` lets the path into the image: the comparison must then fail, or it would compare nothing.
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheDirOf } from "../../boot-assets/image/cache.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
/** All that a build reads. */
const SOURCES = ["boot-assets", "inventory", "node-agent", "server", "systemd", "package.json", "package-lock.json"];

type Surroundings = { name: string; umask: string; env: NodeJS.ProcessEnv; clockShiftDays: number };
const TWO: readonly Surroundings[] = [
  { name: "a", umask: "022", env: { TZ: "UTC", LANG: "C.UTF-8" }, clockShiftDays: 0 },
  {
    name: "another, much longer, path/with more levels",
    umask: "077",
    env: { TZ: "Pacific/Kiritimati", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" },
    clockShiftDays: 4000,
  },
];

/** A module that moves Node's clock: what the build itself could write down. */
const shiftedClock = (days: number) =>
  `data:text/javascript,${encodeURIComponent(
    `const now = Date.now; Date = class extends Date { constructor(...a) { a.length ? super(...a) : super(Date.now()); } }; Date.now = () => now() + ${days * 86_400_000};`,
  )}`;

function run(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<void> {
  const child = spawn(command, args, { ...options, stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`the build ended with ${code}`))));
  });
}

/** A copy of the work tree as another developer would have it; node_modules and downloads as hard links. */
function copySources(to: string, cacheDir: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of SOURCES) cpSync(join(REPOSITORY, name), join(to, name), { recursive: true });
  execFileSync("cp", ["-al", join(REPOSITORY, "node_modules"), join(to, "node_modules")]);
  mkdirSync(cacheDir, { recursive: true });
  const downloads = join(cacheDirOf(process.env), "downloads");
  if (existsSync(downloads)) execFileSync("cp", ["-a", downloads, join(cacheDir, "downloads")]);
  const modules = join(cacheDirOf(process.env), "go/mod");
  if (!existsSync(modules)) return;
  mkdirSync(join(cacheDir, "go"));
  execFileSync("cp", ["-a", modules, join(cacheDir, "go/mod")]);
}

/** Path → SHA-256 of every file below a directory. */
function digests(dir: string): Map<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(
    paths.map((path) => [path.slice(dir.length + 1), createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );
}

async function buildIn(
  base: string,
  where: Surroundings,
  { arch, variant, sabotage: isSabotaged }: { arch: string; variant: string; sabotage: boolean },
): Promise<Map<string, string>> {
  const dir = join(base, where.name);
  const [tree, cacheDir, out] = [join(dir, "slipway"), join(dir, "cache"), join(dir, "out")];
  if (isSabotaged) appendFileSync(join(tree, "boot-assets/image/rootfs/etc/nsswitch.conf"), `# ${tree}\n`);
  const env = {
    ...{ PATH: process.env.PATH, HOME: process.env.HOME, SLIPWAY_CACHE: cacheDir, ...where.env },
    NODE_OPTIONS: `--import=${shiftedClock(where.clockShiftDays)}`,
  };
  const startedMs = performance.now();
  const command = `umask ${where.umask}; exec "$0" boot-assets/image/build.ts --arch "$1" --variant "$2" --out "$3"`;
  await run("sh", ["-c", command, process.execPath, arch, variant, out], { cwd: tree, env });
  console.log(`${where.name}: ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  return digests(out);
}

const { values } = parseArgs({
  options: {
    arch: { type: "string", default: "amd64" },
    variant: { type: "string", default: "base" },
    sabotage: { type: "boolean", default: false },
  },
});
const base = mkdtempSync(join(tmpdir(), "slipway-reproducible-"));
try {
  // Both copies before the first build: the work tree may change meanwhile.
  for (const { name } of TWO) copySources(join(base, name, "slipway"), join(base, name, "cache"));
  const [first, second] = [await buildIn(base, TWO[0]!, values), await buildIn(base, TWO[1]!, values)];
  const names = [...new Set([...first.keys(), ...second.keys()])].sort();
  const different = names.filter((name) => first.get(name) !== second.get(name));
  for (const name of names)
    console.log(`${different.includes(name) ? "DIFFERS" : "same   "} ${first.get(name)} ${name}`);
  console.log(`${names.length - different.length} files are the same, ${different.length} differ`);
  process.exitCode = different.length === 0 && names.length > 0 ? 0 : 1;
} finally {
  rmSync(base, { recursive: true, force: true });
}
