// GRUB's texts for BIOS: the early config inside its core image, grub.cfg, and what a slot says of its files. Both files of
// a slot are checked by SHA-256 before `boot`. Called by plan-install.ts. Pure. Checked by grub-script-check.
// Source: GNU GRUB manual: search, load_env, save_env, hashsum, linux, initrd.
import { GRUB_VARIABLES } from "./grub-env.ts";
import { SLOTS, type Slot } from "./layout.ts";
import { TRIES } from "./loader-entries.ts";
import { GRUB_CFG, GRUB_DIR, GRUB_ENTRY, GRUB_ENV, type Payload, payloadPath } from "./slot-files.ts";

/** Modules that the core image must carry: with the slots' FAT gone there is nowhere to load one from. */
export const GRUB_MODULES = [
  "biosdisk",
  "part_gpt",
  "fat",
  "search",
  "search_fs_uuid",
  "normal",
  "configfile",
  "test",
  "echo",
  "sleep",
  "loadenv",
  "hashsum",
  "gcry_sha256",
  "linux",
  "reboot",
  // Takes the drive out of $root; and `exit`, without which a cut install would end at GRUB's prompt.
  "regexp",
  "minicmd",
] as const;

/** The slots' partitions on a BIOS disk (layout.ts): between them is the core image's own. */
const GRUB_PARTITIONS = { EFI: "gpt1", BOOT: "gpt3" } as const satisfies Record<Slot, string>;

/** FAT volume ids of the slots as GRUB writes them: `1A2B-3C4D`. */
export type SlotVolumes = { EFI: string; BOOT: string };

/** Where GRUB looks for more of itself: slot EFI of the drive that the BIOS started; it says which one at run time. */
export const GRUB_PREFIX = `(,${GRUB_PARTITIONS.EFI})${GRUB_DIR}`;

/**
 * Inside the core image, the same bytes for every machine: goes to grub.cfg on the drive that it was started from, EFI
 * first, then BOOT. It is read by GRUB's rescue parser, which has no `if`; a file that is not there is an error line, and
 * the next line is tried.
 */
export function renderGrubEarly(): string {
  return lines(
    "regexp --set=1:drive '^([^,]+)' $root",
    ...SLOTS.flatMap((slot) => [
      `set prefix=($drive,${GRUB_PARTITIONS[slot]})${GRUB_DIR}`,
      `configfile ($drive,${GRUB_PARTITIONS[slot]})${GRUB_CFG}`,
    ]),
    // A cut install: on to the BIOS's next device, which is the network.
    "exit",
  );
}

/**
 * grub.cfg, equal on both slots. The slot on trial is started while tries are left, counted down first; then the good one;
 * then whichever is whole. GRUB has no arithmetic, hence the row per count.
 */
export function renderGrubConfig(volumes: SlotVolumes): string {
  const { good, next, left } = GRUB_VARIABLES;
  const counts = Array.from({ length: TRIES }, (_, n) => TRIES - n);
  return lines(
    "# Slipway OS. Written at install; the choice of the slot is in grubenv.",
    "set timeout=0",
    "set pager=0",
    `search --no-floppy --fs-uuid --set=slot_EFI ${volumes.EFI}`,
    `search --no-floppy --fs-uuid --set=slot_BOOT ${volumes.BOOT}`,
    `if [ -n "$slot_EFI" ]; then load_env --file ($slot_EFI)${GRUB_ENV} ${good} ${next} ${left}; fi`,
    "",
    "# start DEVICE: boots the slot on it, or returns.",
    "function start {",
    "  slot_linux=",
    `  if [ -s ($1)${GRUB_ENTRY} ]; then source ($1)${GRUB_ENTRY}; fi`,
    '  if [ -z "$slot_linux" ]; then return; fi',
    "  if hashsum --hash sha256 --prefix ($1) --check ($1)$slot_sums; then",
    "    linux ($1)$slot_linux $slot_options",
    "    initrd ($1)$slot_initrd",
    "    boot",
    "  fi",
    '  echo "Slipway: the files of install $slot_install on $1 do not match their SHA-256, or do not start."',
    "}",
    "",
    "# start_named SLOT",
    "function start_named {",
    '  if [ "$1" = EFI -a -n "$slot_EFI" ]; then start $slot_EFI; fi',
    '  if [ "$1" = BOOT -a -n "$slot_BOOT" ]; then start $slot_BOOT; fi',
    "}",
    "",
    "trial=",
    ...counts.flatMap((n, index) => [
      `${index === 0 ? "if" : "elif"} [ "$${left}" = ${n} ]; then`,
      `  trial=$${next}`,
      `  ${left}=${n - 1}`,
    ]),
    "fi",
    // What cannot be counted is not tried: it would be tried for ever.
    `if [ -n "$trial" ]; then`,
    `  if save_env --file ($slot_EFI)${GRUB_ENV} ${left}; then start_named $trial; fi`,
    "fi",
    `start_named $${good}`,
    // Last resort: the slot that used up its tries, or the one that the block does not name.
    `if [ "$${good}" != EFI ]; then start_named EFI; fi`,
    `if [ "$${good}" != BOOT ]; then start_named BOOT; fi`,
    'echo "Slipway: no slot of this disk can be started. Boot from the network, or run: slipway install MAC"',
    "sleep 30",
    "exit",
  );
}

/** What a slot says of itself; `renderSums` is the file that it names. */
export function renderGrubEntry(install: number, cmdline: string): string {
  return lines(
    `slot_install=${install}`,
    `slot_linux=${payloadPath(install, "linux")}`,
    `slot_initrd=${payloadPath(install, "initrd")}`,
    `slot_sums=${payloadPath(install, "sums")}`,
    `slot_options=${quote(cmdline)}`,
  );
}

/** For `hashsum --check`: two blanks between sum and path; GRUB puts `--prefix` and a slash before the path. */
export function renderSums(install: number, sums: { linux: string; initrd: string }): string {
  const line = (sum: string, payload: Payload) => `${sum}  ${payloadPath(install, payload).slice(1)}`;
  return lines(line(sums.linux, "linux"), line(sums.initrd, "initrd"));
}

/** GRUB's single quotes take everything but a single quote. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const lines = (...all: string[]): string => `${all.join("\n")}\n`;
