// Disk selectors: sizes, globs, kinds, and the reason why a disk is not meant.
import { expect, test } from "vitest";
import {
  type DiskFacts,
  type DiskSelector,
  globMatches,
  hasConditions,
  matchDisks,
  selectDisk,
} from "../../../../server/contract/machine-config/disk-selector.ts";
import { parseSize } from "../../../../server/contract/machine-config/disk-size.ts";

const disk = (name: string, more: Partial<DiskFacts> = {}): DiskFacts => ({
  name,
  sizeBytes: 500_107_862_016n,
  model: "Samsung SSD 870",
  serial: "S5Y1NJ0R",
  wwid: "naa.5002538f",
  bus: "sata",
  rotational: false,
  readOnly: false,
  ...more,
});
const NVME = disk("nvme0n1", {
  bus: "nvme",
  model: "WD Black",
  sizeBytes: 1_000_204_886_016n,
  busPath: "/pci0000:00/0000:00:1d.0/nvme",
});
const HDD = disk("sda", { rotational: true, model: "ST4000", sizeBytes: 4_000_787_030_016n });
const SSD = disk("sdb");
const SD = disk("mmcblk0", { bus: "mmc", sizeBytes: 31_914_983_424n, model: "SD32G" });
const ALL = [NVME, HDD, SSD, SD, disk("loop0", { bus: "" }), disk("sr0", { readOnly: true })];
const size = (text: string) => ({ size: parseSize(text)! });

test.each([
  ["100GB", "==", 100_000_000_000n],
  ["100", "==", 100n],
  [">= 100GB", ">=", 100_000_000_000n],
  ["<2TiB", "<", 2_199_023_255_552n],
  ["  <= 1.5tb ", "<=", 1_500_000_000_000n],
  ["> 1 MiB", ">", 1_048_576n],
  ["==4G", "==", 4_000_000_000n],
])("parseSize(%s)", (text, operator, bytes) => expect(parseSize(text)).toMatchObject({ operator, bytes }));

test.each(["", ">=", "GB", "=> 1GB", "1XB", "1 GB 2", "-1GB", "1iB", "0x10", "1e9"])("parseSize refuses %j", (text) =>
  expect(parseSize(text)).toBeUndefined(),
);

test.each([
  ["*", "", true],
  ["*", "x", true],
  ["", "", true],
  ["WD*", "WD Black", true],
  ["*Black", "WD Black", true],
  ["W*B*k", "WD Black", true],
  ["WD", "WD Black", false],
  ["wd*", "WD Black", false],
  ["a*a", "a", false],
  ["ab*ba", "aba", false],
  ["a.c", "abc", false],
  ["**", "x", true],
])("globMatches(%j, %j) is %s", (pattern, text, isMatch) => expect(globMatches(pattern, text)).toBe(isMatch));

test.each<[selector: DiskSelector, names: string[]]>([
  [{}, ["nvme0n1", "sda", "sdb", "mmcblk0"]],
  [size(">= 1TB"), ["nvme0n1", "sda"]],
  [size("< 100GB"), ["mmcblk0"]],
  [{ type: "nvme" }, ["nvme0n1"]],
  [{ type: "sd" }, ["mmcblk0"]],
  [{ type: "hdd" }, ["sda"]],
  [{ type: "ssd" }, ["nvme0n1", "sdb", "mmcblk0"]],
  [{ model: "*SSD*" }, ["sdb"]],
  [{ serial: "S5*", ...size("> 1TB") }, ["nvme0n1", "sda"]],
  [{ wwid: "naa.*", type: "hdd" }, ["sda"]],
  [{ busPath: "/pci0000:00/*" }, ["nvme0n1"]],
  [{ modalias: "scsi:*" }, []],
])("selector %# means the right disks", (selector, names) => {
  expect(
    matchDisks(selector, ALL)
      .filter((m) => m.isMatch)
      .map((m) => m.disk.name),
  ).toEqual(names);
});

test("each disk that is not meant says why", () => {
  expect(selectDisk({ ...size(">= 1TB"), type: "nvme" }, ALL)).toEqual({
    kind: "disk",
    path: "/dev/nvme0n1",
    reason:
      "the diskSelector fits; not taken: sda is sata, spinning, not nvme; sdb has 500107862016 bytes, not >= 1TB; mmcblk0 has 31914983424 bytes, not >= 1TB; loop0 is no hardware disk; sr0 is read-only",
  });
  expect(selectDisk({ model: "X*" }, [SSD])).toEqual({
    kind: "impossible",
    reason: 'no disk fits install.diskSelector; seen: sdb has the model "Samsung SSD 870", not "X*"',
  });
  expect(selectDisk({}, [])).toMatchObject({ reason: expect.stringMatching(/seen: none$/) });
});

test("of several the smallest is taken, whatever their order", () => {
  expect(selectDisk({ type: "ssd" }, ALL)).toMatchObject({ path: "/dev/mmcblk0" });
  expect(selectDisk({ type: "ssd" }, ALL.toReversed())).toMatchObject({ path: "/dev/mmcblk0" });
});

test("a selector without conditions says nothing", () => {
  expect([undefined, {}, { model: "X" }].map(hasConditions)).toEqual([false, false, true]);
});
