// Option 93's codes → firmware and architecture, one row each (pxe.md 2.2; IANA "Processor Architecture Types"). What is not
// here is `other`: it gets a lease and no loader. Pure.
import type { Arch, Platform } from "../boot/client.ts";

export type Architecture = { platform: Platform; arch: Arch };

const BIOS: Architecture = { platform: "bios", arch: "i386" };
const uefi = (arch: Arch): Architecture => ({ platform: "uefi", arch });
const uboot = (arch: Arch): Architecture => ({ platform: "uboot", arch });

export const ARCHITECTURES: Readonly<Record<number, Architecture>> = {
  0: BIOS,
  6: uefi("i386"),
  7: uefi("x86_64"),
  // EBC by the registry; old firmware, OVMF, VMware and Proxmox mean x86_64 (chef/crowbar #180). RFC 4578 swapped 7 and 9.
  9: uefi("x86_64"),
  10: uefi("arm32"),
  11: uefi("arm64"),
  // UEFI HTTP Boot
  15: uefi("i386"),
  16: uefi("x86_64"),
  17: uefi("x86_64"),
  18: uefi("arm32"),
  19: uefi("arm64"),
  20: BIOS,
  21: uboot("arm32"),
  22: uboot("arm64"),
  23: uboot("arm32"),
  24: uboot("arm64"),
  27: uefi("riscv64"),
  28: uefi("riscv64"),
  39: uefi("loong64"),
  40: uefi("loong64"),
  41: { platform: "raspberry-pi", arch: "arm64" },
};

/** Firmware and architecture of a code; absent means BIOS for a ROM that says PXEClient (pxe.md 2.1). */
export function architectureOf(code: number | undefined): Architecture {
  return ARCHITECTURES[code ?? 0] ?? { platform: "other", arch: "other" };
}
