// A lab machine's disk that says so when a machine boots from it: a boot sector for BIOS and an EFI program for UEFI,
// both printing one line on the console. "Went on to its disk" is then something that a test can read. Called by tests.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { efiProgram } from "./efi-program.ts";
import { openScratchFolder } from "./scratch-folder.ts";

/** What the machine's console shows when its disk was booted. */
export const DISK_SAYS = "slipway-lab: this machine boots from its disk";

/** FAT on the whole disk leaves room for code in the boot sector from here on (the BPB of FAT12 and 16 ends before it). */
const BOOT_CODE_AT = 0x3e;

/** Boot sector code: prints the message through the BIOS (INT 10h, AH = 0Eh), then halts. Loaded at 0000:7C00. */
function bootCode(message: string): Buffer {
  const code = [
    ...[0x31, 0xc0, 0x8e, 0xd8], //       xor ax, ax; mov ds, ax
    ...[0xbe, 0x00, 0x00], //             mov si, message        (filled in below)
    ...[0xac, 0x84, 0xc0, 0x74, 0x06], // lodsb; test al, al; jz halt
    ...[0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf5], // mov ah, 0Eh; int 10h; jmp lodsb
    ...[0xf4, 0xeb, 0xfd], //             halt: hlt; jmp halt
  ];
  const bytes = Buffer.concat([Buffer.from(code), Buffer.from(`${message}\r\n\0`, "latin1")]);
  bytes.writeUInt16LE(0x7c00 + BOOT_CODE_AT + code.length, 5);
  return bytes;
}

/** A sector that a BIOS boots, jumping over the place of a FAT's BPB, and that prints one line. */
export function bootSector(message: string): Buffer {
  const boot = Buffer.alloc(512);
  boot.set([0xeb, BOOT_CODE_AT - 2, 0x90]); // jmp over the BPB, which mformat fills in
  bootCode(message).copy(boot, BOOT_CODE_AT);
  boot.writeUInt16LE(0xaa55, 510);
  return boot;
}

/**
 * Writes a 16 MiB raw disk image to `file`: FAT over the whole disk, with \EFI\BOOT\BOOTX64.EFI and BOOTAA64.EFI.
 * Needs mtools.
 */
export function makeTalkingDisk(file: string): void {
  const { path: scratch, remove } = openScratchFolder();
  try {
    writeFileSync(file, Buffer.alloc(16 << 20));
    const mtools = (...args: string[]) => execFileSync(args[0]!, args.slice(1), { stdio: "pipe" });
    writeFileSync(join(scratch, "boot"), bootSector(DISK_SAYS));
    mtools(
      "mformat",
      "-i",
      file,
      "-B",
      join(scratch, "boot"),
      "-T",
      String((16 << 20) / 512),
      "-h",
      "16",
      "-s",
      "32",
      "::",
    );
    mtools("mmd", "-i", file, "::/EFI", "::/EFI/BOOT");
    for (const [arch, name] of [
      ["x86_64", "BOOTX64.EFI"],
      ["arm64", "BOOTAA64.EFI"],
    ] as const) {
      writeFileSync(join(scratch, name), efiProgram(arch, DISK_SAYS));
      mtools("mcopy", "-i", file, join(scratch, name), `::/EFI/BOOT/${name}`);
    }
  } finally {
    remove();
  }
}
