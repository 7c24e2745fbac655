// The container node's pure parts: which control groups a host has, what nspawn is told, the root out of an initramfs, and
// the inotify limits of the host, raised and put back.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { encodeCpio } from "../../boot-assets/image/cpio.ts";
import { isLegacy, makeGroups, parseHierarchies, removeGroups } from "./cgroups.ts";
import { containerCommand, containerEnv, labNetworkFile } from "./container-command.ts";
import { fileInCpio } from "./image-root.ts";
import { raiseInotifyLimits } from "./inotify.ts";

const scratch = mkdtempSync(join(tmpdir(), "slipway-container-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const V1 = "69 68 0:30 / /sys/fs/cgroup/cpuset rw,nosuid shared:19 - cgroup cgroup rw,cpuset";
const NAMED = "77 68 0:37 / /sys/fs/cgroup/systemd rw shared:27 - cgroup cgroup rw,name=systemd";
const BESIDE = "78 68 0:38 / /sys/fs/cgroup/unified rw shared:28 - cgroup2 cgroup2 rw";
const V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
const OTHER = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw";

const HOSTS = [
  { name: "v1 with v2 beside it", lines: [OTHER, V1, NAMED, BESIDE], legacy: true, paths: 3 },
  { name: "v2 only", lines: [OTHER, V2], legacy: false, paths: 1 },
  { name: "none", lines: [OTHER, ""], legacy: false, paths: 0 },
];
for (const { name, lines, legacy, paths } of HOSTS) {
  test(`parseHierarchies reads a host with ${name}`, () => {
    const found = parseHierarchies(lines.join("\n"));
    expect(found).toHaveLength(paths);
    expect(isLegacy(found)).toBe(legacy);
  });
}

test("parseHierarchies keeps controllers apart from names and options", () => {
  expect(parseHierarchies([V1, NAMED].join("\n")).map((one) => one.controllers)).toEqual([["cpuset"], []]);
});

test("makeGroups fills a new cpuset, and removeGroups takes only ours, deepest first", () => {
  const path = join(scratch, "cpuset");
  mkdirSync(path);
  for (const file of ["cpuset.cpus", "cpuset.mems"]) writeFileSync(join(path, file), "0-1");
  const hierarchy = { path, isV2: false, controllers: ["cpuset"] };
  expect(makeGroups([hierarchy], "ours")).toEqual([join(path, "ours", "cgroup.procs")]);
  expect(readFileSync(join(path, "ours", "cpuset.cpus"), "utf8")).toBe("0-1");
  // A real group's files need not be removed; a directory's do.
  for (const file of ["cpuset.cpus", "cpuset.mems"]) rmSync(join(path, "ours", file));
  mkdirSync(join(path, "ours", "kubepods", "pod1"), { recursive: true });
  mkdirSync(join(path, "theirs"));
  removeGroups([hierarchy], (name) => name === "ours");
  expect(readdirSync(path).sort()).toEqual(["cpuset.cpus", "cpuset.mems", "theirs"]);
});

const FILES = { rootFile: "/r", varFile: "/v", dir: "/d", groupFiles: ["/cg/cpu/x/cgroup.procs"] };
const NODE = { ns: "slipway-x", machine: "lab-1", mac: "52:54:00:00:80:01", binds: { "/a": "/b" } };

test("containerCommand tells a guest on v1 that v1 is meant, and one on v2 nothing", () => {
  const legacy = containerCommand({ ...NODE, isLegacy: true }, FILES);
  expect(legacy).toContain("systemd.unified_cgroup_hierarchy=0");
  expect(legacy).toContain("--bind-ro=/b:/a");
  expect(legacy).toContain("--uuid=5e1f0a7e51ab4c0d8a3f525400008001");
  expect(containerEnv(true)).toMatchObject({ SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "0" });
  const unified = containerCommand({ ...NODE, isLegacy: false }, FILES);
  expect(unified.join(" ")).not.toContain("cgroup_hierarchy");
  expect(containerEnv(false)).toMatchObject({ SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" });
});

test("containerCommand leaves the host's clock and modules out of reach", () => {
  expect(containerCommand({ ...NODE, isLegacy: true }, FILES)).toContain(
    "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE",
  );
});

test("labNetworkFile matches the card's name, and nothing else is different", () => {
  const image = readFileSync("boot-assets/image/rootfs/usr/lib/systemd/network/80-slipway.network", "utf8");
  const lab = labNetworkFile(image);
  expect(lab).toContain("\nName=eth0\n");
  expect(lab.split("\n").filter((line, at) => line !== image.split("\n")[at])).toEqual(["Name=eth0"]);
});

test("fileInCpio finds the file, also when its name stands in another file's bytes before it", () => {
  const bytes = Buffer.from("hsqs and more");
  const archive = encodeCpio(
    new Map([
      ["a", { kind: "file", mode: 0o444, bytes: Buffer.from("slipway/root.squashfs\0"), from: "test" }],
      ["slipway/root.squashfs", { kind: "file", mode: 0o444, bytes, from: "test" }],
    ]),
  );
  expect(fileInCpio(Buffer.from(archive), Buffer.from("slipway/root.squashfs\0"))).toEqual(bytes);
  expect(fileInCpio(Buffer.from(archive), Buffer.from("slipway/none\0"))).toBeUndefined();
});

test("raiseInotifyLimits raises what is too low, and the last user puts it back", () => {
  const place = { sysctlDir: join(scratch, "inotify"), notesDir: join(scratch, "notes") };
  mkdirSync(place.sysctlDir);
  const read = (name: string) => readFileSync(join(place.sysctlDir, name), "utf8");
  writeFileSync(join(place.sysctlDir, "max_user_instances"), "128\n");
  writeFileSync(join(place.sysctlDir, "max_user_watches"), "9999999\n");
  // A lab that was killed: its raised value is not taken for the host's own.
  mkdirSync(place.notesDir);
  writeFileSync(join(place.notesDir, "user-999999999-1-1"), "");
  const release = raiseInotifyLimits(place);
  const releaseSecond = raiseInotifyLimits(place);
  expect(read("max_user_instances")).toBe("8192");
  expect(read("max_user_watches")).toBe("9999999\n");
  release();
  expect(read("max_user_instances")).toBe("8192");
  releaseSecond();
  expect(read("max_user_instances")).toBe("128");
  expect(readdirSync(place.notesDir)).toEqual([]);
});
