// GRUB for BIOS machines, as two files beside the image that are the same for every machine: the core image, and the 440
// bytes of the master boot record that load it. Called by image.ts. Both name the place of the core on the disk, which
// node-agent/install/layout.ts makes the same for every disk with sectors of 512 bytes; there is no other kind below a BIOS.
// Source: GNU GRUB 2.12, include/grub/i386/pc/boot.h, grub-core/boot/i386/pc/{boot,diskboot}.S, util/setup.c.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GRUB_MODULES, GRUB_PREFIX, renderGrubEarly } from "../../node-agent/install/grub-config.ts";
import { LAYOUT } from "../../node-agent/install/layout.ts";
import { SlipwayError } from "../../server/contract/errors.ts";
import { runTool, type Toolbox } from "./tools.ts";

export type Grub = { core: Uint8Array; boot: Uint8Array };

const SECTOR_BYTES = 512;
const SECTORS_PER_MIB = 2048;
/** What a BIOS loads and runs of the first sector; behind it are the disk's signature and the partition table. */
const BOOT_CODE_BYTES = 440;
/** GRUB_BOOT_MACHINE_KERNEL_SECTOR: where boot.img has the core's first sector, 64 bits. */
const CORE_SECTOR_AT = 0x5c;
/** GRUB_BOOT_MACHINE_BOOT_DRIVE: 0xff means the drive that the BIOS names. */
const BOOT_DRIVE_AT = 0x64;
/** GRUB_BOOT_MACHINE_DRIVE_CHECK: a jump over the line that mends drive numbers of BIOSes which name a floppy. */
const DRIVE_CHECK_AT = 0x66;
const NOPS = 0x9090;
/** The blocklist's entry in the core's first sector: start (64 bits), sectors (16), segment (16). */
const BLOCK_LIST_AT = SECTOR_BYTES - 12;

/** First sector of the BIOS partition: the layout's rows before it, and 1 MiB for the table. */
export const CORE_SECTOR = biosSector();

function biosSector(): number {
  const before = LAYOUT.findIndex(({ label }) => label === "BIOS");
  return LAYOUT.slice(0, before).reduce((sum, { mib }) => sum + mib, 1) * SECTORS_PER_MIB;
}

/** All that decides GRUB's bytes besides its packages: part of the image's key (inputs.ts). */
export const grubInputs = (): unknown[] => [renderGrubEarly(), GRUB_MODULES, GRUB_PREFIX, CORE_SECTOR];

/** boot.img, to be put before the partition table: loads the core's first sector from its fixed place. Pure. */
export function patchBootCode(boot: Uint8Array, coreSector: number): Uint8Array {
  const code = Buffer.from(boot);
  if (code.length !== SECTOR_BYTES || code.readUInt16LE(510) !== 0xaa55 || code[BOOT_DRIVE_AT] !== 0xff) {
    throw new SlipwayError(
      "INTERNAL",
      "boot.img is not laid out as GRUB 2.12 has it: its places must be looked up anew",
    );
  }
  code.writeBigUInt64LE(BigInt(coreSector), CORE_SECTOR_AT);
  code.writeUInt16LE(NOPS, DRIVE_CHECK_AT);
  return code.subarray(0, BOOT_CODE_BYTES);
}

/** The core with the place of its second sector written into its first. Whole sectors long. Pure. */
export function patchCore(core: Uint8Array, coreSector: number): Uint8Array {
  const sectors = Math.ceil(core.length / SECTOR_BYTES);
  const patched = Buffer.alloc(sectors * SECTOR_BYTES);
  patched.set(core);
  const listed = patched.readUInt16LE(BLOCK_LIST_AT + 8);
  if (listed !== sectors - 1) {
    throw new SlipwayError("INTERNAL", `GRUB's core lists ${listed} sectors, it has ${sectors - 1} after the first`);
  }
  patched.writeBigUInt64LE(BigInt(coreSector + 1), BLOCK_LIST_AT);
  return patched;
}

/** Makes both files with the locked grub-mkimage. @param workDir is made and removed. */
export async function buildGrub(tools: Toolbox, workDir: string): Promise<Grub> {
  const modules = join(tools.dir, "usr/lib/grub/i386-pc");
  const early = join(workDir, "early.cfg");
  const core = join(workDir, "core.img");
  rmSync(workDir, { recursive: true, force: true });
  mkdirSync(workDir, { recursive: true });
  try {
    writeFileSync(early, renderGrubEarly());
    const form = ["-O", "i386-pc", "-d", modules, "-p", GRUB_PREFIX, "-c", early, "-o", core];
    await runTool(tools, "usr/bin/grub-mkimage", [...form, ...GRUB_MODULES]);
    return {
      core: patchCore(readFileSync(core), CORE_SECTOR),
      boot: patchBootCode(readFileSync(join(modules, "boot.img")), CORE_SECTOR),
    };
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}
