import { expect, test } from "vitest";
import {
  addFirmware,
  closeModules,
  type KernelModule,
  readModule,
  wantedModules,
} from "../../../boot-assets/image/kernel-modules.ts";
import { elfFile } from "./elf-file.ts";
import { treeOf } from "./tree-of.ts";

const modules: Record<string, readonly string[]> = {
  "drivers/net/ethernet/intel/e1000e/e1000e": ["depends=ptp"],
  "drivers/ptp/ptp": ["depends=pps_core"],
  "drivers/pps/pps-core": ["depends="],
  "drivers/nvme/host/nvme": ["depends=nvme-core", "softdep=pre: crc64"],
  "drivers/nvme/host/nvme-core": ["depends=a_built_in_one"],
  "lib/crc64": [],
  "sound/snd": [],
};
const load = async (paths: readonly string[]): Promise<KernelModule[]> =>
  paths.map((path) => readModule(path, elfFile({ type: 1, modinfo: [...modules[path]!] })));

test("wantedModules takes what a glob names and nothing refused", () => {
  const paths = Object.keys(modules);
  expect(wantedModules(paths, ["drivers/n*/**"], ["drivers/nvme/**"])).toEqual([
    "drivers/net/ethernet/intel/e1000e/e1000e",
  ]);
});

test("closeModules follows depends and soft dependencies; dash and underscore are one; built-in names are no fault", async () => {
  const seeds = ["drivers/net/ethernet/intel/e1000e/e1000e", "drivers/nvme/host/nvme"];
  const found = await closeModules(seeds, Object.keys(modules), load);
  expect(found.map(({ path }) => path)).toEqual([
    "drivers/net/ethernet/intel/e1000e/e1000e",
    "drivers/nvme/host/nvme",
    "drivers/nvme/host/nvme-core",
    "drivers/pps/pps-core",
    "drivers/ptp/ptp",
    "lib/crc64",
  ]);
});

test("closeModules ends when modules depend on each other", async () => {
  const circle: Record<string, string[]> = { a: ["depends=b"], b: ["depends=a"] };
  const read = async (paths: readonly string[]) =>
    paths.map((path) => readModule(path, elfFile({ type: 1, modinfo: circle[path]! })));
  expect(await closeModules(["a"], ["a", "b"], read)).toHaveLength(2);
});

test("addFirmware takes what modules name, follows links, knows globs, and says what is missing", () => {
  const firmware = treeOf({
    "usr/lib/firmware/rtl_nic/rtl8168g-2.fw": "a",
    "usr/lib/firmware/ice/ddp/ice.pkg -> ice-1.3.pkg": "",
    "usr/lib/firmware/ice/ddp/ice-1.3.pkg": "b",
    "usr/lib/firmware/tigon/tg3.bin": "c",
    "usr/lib/firmware/other.bin": "d",
    "usr/lib/firmware/dangling.bin -> nowhere": "",
  });
  const module = readModule(
    "x",
    elfFile({
      type: 1,
      modinfo: ["rtl_nic/rtl8168g-2.fw", "ice/ddp/ice.pkg", "tigon/*", "gone.bin", "dangling.bin"].map(
        (name) => `firmware=${name}`,
      ),
    }),
  );
  const tree = treeOf({});
  expect(addFirmware(tree, [module], firmware)).toEqual(["dangling.bin", "gone.bin"]);
  expect([...tree.keys()].filter((path) => !path.includes("dangling")).sort()).toEqual([
    "usr/lib/firmware/ice/ddp/ice-1.3.pkg",
    "usr/lib/firmware/ice/ddp/ice.pkg",
    "usr/lib/firmware/rtl_nic/rtl8168g-2.fw",
    "usr/lib/firmware/tigon/tg3.bin",
  ]);
});
