// Where everything stands on the two slots, in one table: names for the installer, the loader's entries, GRUB's and the
// firmware's. Payload names fit 8.3: one directory entry each, so that a rename never needs two sectors. Pure.
// A payload lies outside EFI/Linux: systemd-boot would make an uncounted entry of whatever it finds there.
import type { Firmware } from "./layout.ts";

/** Firmware → names that its programs have. */
export const LOADER_ARCH = {
  "uefi-x86_64": { removable: "/EFI/BOOT/BOOTX64.EFI", loader: "systemd-bootx64.efi" },
  "uefi-arm64": { removable: "/EFI/BOOT/BOOTAA64.EFI", loader: "systemd-bootaa64.efi" },
} as const satisfies Partial<Record<Firmware, { removable: string; loader: string }>>;
export type UefiFirmware = keyof typeof LOADER_ARCH;

/**
 * The loader's names on slot EFI, in BootOrder's order: an entry that fails returns to the firmware, which takes the next
 * one; the same name four times would be one entry (firmware drops equal ones).
 */
export const LOADER_COPIES = [
  "/EFI/slipway/loader.efi",
  "/EFI/slipway/loader1.efi",
  "/EFI/slipway/loader2.efi",
  "/EFI/slipway/loader3.efi",
] as const;

/** The loader's name on slot BOOT. */
export const LOADER_ON_BOOT = LOADER_COPIES[0];

export const LOADER_CONF = "/loader/loader.conf";
export const ENTRIES_DIR = "/loader/entries";
export const PAYLOAD_DIR = "/slipway";
export const GRUB_DIR = "/grub";
export const GRUB_CFG = `${GRUB_DIR}/grub.cfg`;
export const GRUB_ENV = `${GRUB_DIR}/grubenv`;
/** What GRUB sources from a slot: names and sums of its files. Written last, as the loader's entry is on UEFI. */
export const GRUB_ENTRY = `${PAYLOAD_DIR}/entry.cfg`;

/** Install numbers stay below this, so that a payload's name has at most eight digits. */
export const MOST_INSTALLS = 99_999_999;

/** What a slot holds of one install, by firmware: a UKI, or its two parts and their sums for GRUB. */
export const PAYLOAD_SUFFIX = { uki: "efi", linux: "lin", initrd: "ird", sums: "sum" } as const;
export type Payload = keyof typeof PAYLOAD_SUFFIX;

/** `/slipway/7.efi`: the final name of a payload. */
export const payloadPath = (install: number, payload: Payload): string =>
  `${PAYLOAD_DIR}/${install}.${PAYLOAD_SUFFIX[payload]}`;

/** Where a file is written first: `/slipway/7.efi` → `/slipway/7e.tmp` (8.3 as well); any other gets `.new` behind it. */
export function temporaryPath(path: string): string {
  const payload = /^(.*\/\d+)\.([a-z])[a-z]{2}$/.exec(path);
  return payload === null ? `${path}.new` : `${payload[1]}${payload[2]}.tmp`;
}

/** True for names that only a write which was cut leaves behind. */
export const isTemporary = (path: string): boolean => path.endsWith(".new") || /\/\d+[a-z]\.tmp$/.test(path);
