// From the kernel package to /usr/lib/modules: the wanted modules, what they depend on, the firmware files that they name,
// and the indexes that modprobe reads. Called by root-tree.ts and initrd-tree.ts. Modules are stored decompressed: the
// root file system compresses them better as a whole, and xz is slow on the machine that boots.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import { readElf } from "./elf.ts";
import { MODULES, NOT_MODULES } from "./modules.ts";
import { runTool, type Toolbox } from "./tools.ts";
import { globToRegExp, type Tree } from "./tree.ts";

/** `path` is below kernel/, without its ending; `name` is what modprobe calls it. */
export type KernelModule = { path: string; name: string; depends: string[]; firmware: string[]; bytes: Uint8Array };

/** modprobe does not tell "-" from "_". */
const nameOf = (path: string): string => path.split("/").at(-1)!.replaceAll("-", "_");

/** Which of these module paths (below kernel/, no ending) the tables want. Pure. */
export function wantedModules(paths: readonly string[], want = MODULES, refuse = NOT_MODULES): string[] {
  const wanted = want.map(globToRegExp);
  const refused = refuse.map(globToRegExp);
  return paths.filter((path) => wanted.some((re) => re.test(path)) && !refused.some((re) => re.test(path)));
}

/**
 * Adds what the seeds depend on, by their own .modinfo. Soft dependencies count: the driver works without, but worse.
 *
 * @param paths all modules of the kernel package.
 * @param load reads a batch of modules; called once a round.
 * @returns in path order.
 */
export async function closeModules(
  seeds: readonly string[],
  paths: readonly string[],
  load: (paths: readonly string[]) => Promise<KernelModule[]>,
): Promise<KernelModule[]> {
  const byName = new Map(paths.map((path) => [nameOf(path), path]));
  const found = new Map<string, KernelModule>();
  for (let round = [...seeds]; round.length > 0; ) {
    const loaded = await load(round);
    for (const module of loaded) found.set(module.path, module);
    const next = new Set<string>();
    for (const name of loaded.flatMap((module) => module.depends)) {
      // A name that no module has is built into the kernel.
      const path = byName.get(name.replaceAll("-", "_"));
      if (path !== undefined && !found.has(path)) next.add(path);
    }
    round = [...next];
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Reads one decompressed module. Pure. */
export function readModule(path: string, bytes: Uint8Array): KernelModule {
  const { modinfo } = readElf(bytes, path);
  const values = (key: string) => modinfo.filter(([name]) => name === key).map(([, value]) => value);
  const soft = values("softdep").flatMap((row) =>
    row.split(/\s+/).filter((word) => word !== "" && !word.endsWith(":")),
  );
  const depends = values("depends").flatMap((row) => row.split(",").filter((name) => name !== ""));
  return { path, name: nameOf(path), depends: [...depends, ...soft], firmware: values("firmware"), bytes };
}

/** All modules of the kernel package, compressed, by path → those that the image carries, decompressed. */
export async function pickModules(
  compressed: ReadonlyMap<string, Uint8Array>,
  tools: Toolbox,
  workDir: string,
): Promise<KernelModule[]> {
  const paths = [...compressed.keys()];
  const seeds = wantedModules(paths);
  if (seeds.length === 0) throw new SlipwayError("INTERNAL", "no kernel module matches the table in modules.ts");
  const dir = join(workDir, "modules");
  return closeModules(seeds, paths, async (wanted) => {
    mkdirSync(dir, { recursive: true });
    for (const [n, path] of wanted.entries()) writeFileSync(join(dir, `${n}.ko.xz`), compressed.get(path)!);
    await runTool(tools, "usr/bin/xz", ["--decompress", ...readdirSync(dir).map((file) => join(dir, file))]);
    const modules = wanted.map((path, n) => readModule(path, readFileSync(join(dir, `${n}.ko`))));
    rmSync(dir, { recursive: true });
    return modules;
  });
}

/** Puts modules and their indexes (modules.dep, modules.alias, …) into a tree; depmod is the locked kmod's. */
export async function addModules(
  tree: Tree,
  modules: readonly KernelModule[],
  kernel: KernelFiles,
  tools: Toolbox,
  workDir: string,
) {
  const base = `lib/modules/${kernel.version}`;
  const dir = join(workDir, "depmod");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, base), { recursive: true });
  for (const { path, bytes } of modules) {
    const file = `${base}/kernel/${path}.ko`;
    tree.set(`usr/${file}`, { kind: "file", mode: 0o644, bytes, from: kernel.packageName });
    mkdirSync(join(dir, file, ".."), { recursive: true });
    writeFileSync(join(dir, file), bytes);
  }
  for (const [name, bytes] of kernel.indexes) writeFileSync(join(dir, base, name), bytes);
  // Without -C depmod would read the building host's own depmod.d.
  await runTool(tools, "usr/sbin/depmod", ["-C", "/dev/null", "-b", dir, kernel.version]);
  for (const name of readdirSync(join(dir, base)).filter(
    (each) => each.endsWith(".bin") || each === "modules.softdep",
  )) {
    const bytes = readFileSync(join(dir, base, name));
    tree.set(`usr/${base}/${name}`, { kind: "file", mode: 0o644, bytes, from: "slipway" });
  }
  rmSync(dir, { recursive: true });
}

/** What of the kernel package is not a module. `indexes`: modules.builtin and its kin. */
export type KernelFiles = { version: string; packageName: string; image: Uint8Array; indexes: [string, Uint8Array][] };

/** Firmware of the kept modules: file or link below /usr/lib/firmware. @returns names that no package has. */
export function addFirmware(tree: Tree, modules: readonly KernelModule[], firmware: Tree): string[] {
  const missing: string[] = [];
  const wanted = new Set(modules.flatMap((module) => module.firmware));
  for (const name of [...wanted].sort()) {
    if (!takeFirmware(tree, `usr/lib/firmware/${name}`, firmware)) missing.push(name);
  }
  return missing;
}

/** A module may name a glob ("intel/ice/ddp/*"); packages ship one name as a link to another. */
function takeFirmware(tree: Tree, path: string, firmware: Tree): boolean {
  const pattern = globToRegExp(path);
  const found = path.includes("*") ? [...firmware.keys()].filter((key) => pattern.test(key)) : [path];
  let any = false;
  for (const key of found) {
    const entry = firmware.get(key);
    if (entry === undefined) continue;
    tree.set(key, entry);
    any = true;
    if (entry.kind !== "link") continue;
    const target = entry.target.startsWith("/") ? entry.target.slice(1) : join(key, "..", entry.target);
    any = takeFirmware(tree, target, firmware);
  }
  return any;
}
