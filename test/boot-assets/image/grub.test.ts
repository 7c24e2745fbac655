import { expect, test } from "vitest";
import { CORE_SECTOR, patchBootCode, patchCore } from "../../../boot-assets/image/grub.ts";
import { leastDiskBytes, planLayout } from "../../../node-agent/install/layout.ts";

/** A first sector as boot.img has it: 0xff where the drive stands, a jump in the drive check, 0x55aa at the end. */
function bootImage(): Buffer {
  const boot = Buffer.alloc(512, 0x11);
  boot[0x64] = 0xff;
  boot.writeUInt16LE(0x05eb, 0x66);
  boot.writeUInt16LE(0xaa55, 510);
  return boot;
}
/** A core of `bytes` whose first sector lists the sectors after it, from the second of the disk on. */
function coreImage(bytes: number): Buffer {
  const core = Buffer.alloc(bytes, 0x22);
  core.writeBigUInt64LE(2n, 500);
  core.writeUInt16LE(Math.ceil(bytes / 512) - 1, 508);
  return core;
}

test("the core stands where the layout puts its partition, on every disk with 512-byte sectors", () => {
  const guid = "00000000-0000-4000-8000-000000000000";
  const guids = { disk: guid, EFI: guid, BIOS: guid, BOOT: guid, META: guid, STATE: guid, EPHEMERAL: guid };
  for (const sizeBytes of [leastDiskBytes("bios"), 4 * 10 ** 12]) {
    const outcome = planLayout({ sizeBytes, sectorBytes: 512 }, "bios", guids);
    const partitions = outcome.kind === "layout" ? outcome.layout.partitions : [];
    expect(partitions.find(({ label }) => label === "BIOS")?.offset).toBe(CORE_SECTOR * 512);
  }
});

test("patchBootCode names the core's place, trusts the BIOS's drive, and stops before the partition table", () => {
  const code = Buffer.from(patchBootCode(bootImage(), 2_099_200));
  expect(code).toHaveLength(440);
  expect(code.readBigUInt64LE(0x5c)).toBe(2_099_200n);
  expect(code.readUInt16LE(0x66)).toBe(0x9090);
  expect(code[0x64]).toBe(0xff);
});

test("patchCore names the place of its second sector, and fills its last one", () => {
  const core = Buffer.from(patchCore(coreImage(1300), 2_099_200));
  expect(core).toHaveLength(1536);
  expect(core.readBigUInt64LE(500)).toBe(2_099_201n);
  expect(core.readUInt16LE(508)).toBe(2);
});

test("images that are laid out otherwise are refused: the places would be wrong", () => {
  const other = bootImage();
  other[0x64] = 0x80;
  expect(() => patchBootCode(other, 1)).toThrow(/boot\.img is not laid out as GRUB 2\.12/);
  const short = coreImage(1300);
  short.writeUInt16LE(7, 508);
  expect(() => patchCore(short, 1)).toThrow(/lists 7 sectors, it has 2 after the first/);
});
