// Every file that an install writes to the slots and to STATE, in the order in which they are written: payload, then what
// points to it, the loader last. Called by plan-install.ts. Pure.
import { createHash } from "node:crypto";
import { renderGrubConfig, renderGrubEntry, renderSums, type SlotVolumes } from "./grub-config.ts";
import { encodeGrubEnv, withBlessed } from "./grub-env.ts";
import type { FileContent, FileSpec, GivenFile, InstallTarget, Sized, Volume } from "./install-step.ts";
import { type Firmware, type LayoutGuids, SLOTS } from "./layout.ts";
import { formatEntryName, LOADER_CONF_TEXT, renderEntry } from "./loader-entries.ts";
import {
  ENTRIES_DIR,
  GRUB_CFG,
  GRUB_ENTRY,
  GRUB_ENV,
  LOADER_ARCH,
  LOADER_CONF,
  LOADER_COPIES,
  LOADER_ON_BOOT,
  payloadPath,
} from "./slot-files.ts";
import { renderUkiSums } from "./slot-sums.ts";

/** `stage` decides what a missing file means: a payload that is missing takes all pointers away first. */
export type StagedFile = FileSpec & { stage: "state" | "payload" | "pointer"; isLiving?: boolean };

/** The files of a first install: it fills slot EFI, and gives BOOT a loader that finds nothing yet. */
export function installFiles(
  firmware: Firmware,
  target: InstallTarget,
  guids: LayoutGuids,
  install: number,
): StagedFile[] {
  const slots = firmware === "bios" ? grubFiles(target, guids, install) : uefiFiles(firmware, target, install);
  return [...target.state.map(stateFile), ...slots];
}

/** Whether what stands at a file's place makes writing it needless. A living file has only to be there. */
export const isThere = (found: Sized | undefined, file: Sized & { isLiving?: boolean }): boolean =>
  file.isLiving === true ? (found?.bytes ?? 0) > 0 : found?.bytes === file.bytes && found.sha256 === file.sha256;

const stateFile = ({ path, name, bytes, sha256, isLiving = false }: GivenFile): StagedFile => ({
  ...{ stage: "state", on: "STATE", path, content: { kind: "given", name }, bytes, sha256 },
  isLiving,
});

function uefiFiles(
  firmware: Exclude<Firmware, "bios">,
  { image, loader }: InstallTarget,
  install: number,
): StagedFile[] {
  const asset = (on: Volume, path: string): StagedFile =>
    file("pointer", on, path, { kind: "asset", asset: "loader" }, loader);
  return [
    file("payload", "EFI", payloadPath(install, "uki"), { kind: "asset", asset: "uki" }, image.uki),
    text("payload", "EFI", payloadPath(install, "sums"), renderUkiSums(install, image.uki.sha256)),
    ...SLOTS.map((slot) => text("pointer", slot, LOADER_CONF, LOADER_CONF_TEXT)),
    text("pointer", "EFI", `${ENTRIES_DIR}/${formatEntryName({ install })}`, renderEntry(install, image.version)),
    asset("BOOT", LOADER_ON_BOOT),
    ...LOADER_COPIES.map((path) => asset("EFI", path)),
    // The name that firmware starts without any boot entry: from here on the disk boots.
    asset("EFI", LOADER_ARCH[firmware].removable),
  ];
}

function grubFiles({ image }: InstallTarget, guids: LayoutGuids, install: number): StagedFile[] {
  const config = renderGrubConfig(slotVolumes(guids));
  const env = encodeGrubEnv(withBlessed(new Map(), "EFI")).toString("latin1");
  const sums = renderSums(install, { linux: image.linux.sha256, initrd: image.initrd.sha256 });
  return [
    file("payload", "EFI", payloadPath(install, "linux"), { kind: "asset", asset: "linux" }, image.linux),
    file("payload", "EFI", payloadPath(install, "initrd"), { kind: "asset", asset: "initrd" }, image.initrd),
    text("payload", "EFI", payloadPath(install, "sums"), sums),
    text("pointer", "EFI", GRUB_ENV, env),
    text("pointer", "EFI", GRUB_ENTRY, renderGrubEntry(install, image.cmdline)),
    ...SLOTS.map((slot) => text("pointer", slot, GRUB_CFG, config)),
  ];
}

/** A FAT volume's serial number as its tools write it, from the partition's GUID: `1A2B-3C4D`. */
export const volumeId = (guid: string): string => `${guid.slice(0, 4)}-${guid.slice(4, 8)}`.toUpperCase();
export const slotVolumes = (guids: LayoutGuids): SlotVolumes => ({
  EFI: volumeId(guids.EFI),
  BOOT: volumeId(guids.BOOT),
});

function file(stage: StagedFile["stage"], on: Volume, path: string, content: FileContent, sized: Sized): StagedFile {
  return { stage, on, path, content, bytes: sized.bytes, sha256: sized.sha256 };
}

function text(stage: StagedFile["stage"], on: Volume, path: string, content: string): StagedFile {
  const bytes = Buffer.from(content, "utf8");
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return file(stage, on, path, { kind: "text", text: content }, { bytes: bytes.length, sha256 });
}
