// A slot's file of SHA-256 sums: what its image must be. GRUB checks it before it starts anything (grub-config.ts writes that
// one); the agent checks it at every boot on either firmware (run-slot-check.ts). Pure. Format: sha256sum's.
import { payloadPath } from "./slot-files.ts";

/** One file that a slot must hold, by its path from the slot's root. */
export type SlotSum = { path: string; sha256: string };

/** The sums of a UEFI slot: one row, for the UKI. */
export const renderUkiSums = (install: number, sha256: string): string =>
  `${sha256}  ${payloadPath(install, "uki").slice(1)}\n`;

/** Every row; undefined when a line is no row of ours, for then the file itself is damaged. */
export function parseSums(text: string): SlotSum[] | undefined {
  const rows = text.split("\n").filter((line) => line !== "");
  const sums = rows.flatMap((line) => {
    const match = /^([0-9a-f]{64}) {2}([^/\s][^\s]*)$/.exec(line);
    return match === null ? [] : [{ sha256: match[1]!, path: `/${match[2]}` }];
  });
  return sums.length === rows.length && sums.length > 0 ? sums : undefined;
}
