// A container node's own place in the host's control groups: one directory in each hierarchy, so that nspawn's cgroup
// namespace shows it as the root and nodes do not share `/kubepods`. Hosts with cgroup v1, both, or v2 only. Pure, but for
// the two functions at the end. Called by container.ts.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A mounted hierarchy; `controllers` is empty for v2 and for v1's named ones. */
export type Hierarchy = { path: string; isV2: boolean; controllers: readonly string[] };

/** Reads the hierarchies out of /proc/self/mountinfo (proc(5)). */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  return mountinfo.split("\n").flatMap((line): Hierarchy[] => {
    const [before, after] = line.split(" - ");
    const path = before?.split(" ")[4];
    const [type, , options] = after?.split(" ") ?? [];
    if (path === undefined || !path.startsWith("/sys/fs/cgroup")) return [];
    if (type === "cgroup2") return [{ path, isV2: true, controllers: [] }];
    if (type !== "cgroup") return [];
    const words = (options ?? "").split(",");
    return [{ path, isV2: false, controllers: words.filter((word) => word !== "rw" && !word.startsWith("name=")) }];
  });
}

/** Whether controllers are on v1: then the guest's systemd and its kubelet need to be told that v1 is meant. */
export const isLegacy = (hierarchies: readonly Hierarchy[]): boolean =>
  hierarchies.some(({ isV2, controllers }) => !isV2 && controllers.length > 0);

/** Systemd's v2 knobs and v1's force switch, as nspawn's environment and the guest's arguments. */
export const CGROUP_FLAVOUR = {
  legacy: {
    env: { SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE: "1", SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "0" },
    guest: ["systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"],
  },
  unified: { env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" }, guest: [] },
} as const;

export const readHierarchies = (): Hierarchy[] => parseHierarchies(readFileSync("/proc/self/mountinfo", "utf8"));

/**
 * Makes the directories. A controller that cannot be given on (v2, somebody else's limits) is left out: the kubelet then
 * says what it lacks.
 * @returns `cgroup.procs` of each: a process that writes its id there lives in them.
 */
export function makeGroups(hierarchies: readonly Hierarchy[], name: string): string[] {
  return hierarchies.map(({ path, isV2, controllers }) => {
    const dir = join(path, name);
    if (isV2) delegate(path);
    mkdirSync(dir, { recursive: true });
    // A new cpuset may use nothing until it is told.
    const inherited = controllers.includes("cpuset") ? ["cpuset.cpus", "cpuset.mems"] : [];
    for (const file of inherited) writeFileSync(join(dir, file), readFileSync(join(path, file)));
    return join(dir, "cgroup.procs");
  });
}

function delegate(path: string): void {
  for (const controller of readFileSync(join(path, "cgroup.controllers"), "utf8").trim().split(" ")) {
    try {
      if (controller !== "") writeFileSync(join(path, "cgroup.subtree_control"), `+${controller}`);
    } catch {
      // It is given on already, or cannot be.
    }
  }
}

/** Removes the directories of every hierarchy whose name `isOurs`, deepest first. Their processes have ended. */
export function removeGroups(hierarchies: readonly Hierarchy[], isOurs: (name: string) => boolean): void {
  for (const { path } of hierarchies) {
    if (!existsSync(path)) continue;
    for (const name of readdirSync(path)) if (isOurs(name)) removeTree(join(path, name));
  }
}

function removeTree(dir: string): void {
  try {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(dir, entry.name));
    }
    rmdirSync(dir);
  } catch {
    // Gone already, or a process is just ending in it: the next lab removes it.
  }
}
