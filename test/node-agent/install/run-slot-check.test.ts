// isSlotWhole over slots that a fake mount fills: whole, a flipped byte, a file that is gone, no image, and not to be looked at.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { DiskCalls } from "../../../node-agent/install/open-disk-calls.ts";
import type { OwnDisk } from "../../../node-agent/install/read-own-disk.ts";
import { isSlotWhole, type SlotCheck } from "../../../node-agent/install/run-slot-check.ts";
import { renderUkiSums } from "../../../node-agent/install/slot-sums.ts";
import { GUIDS, MARKER } from "./disk.ts";

let at = "";
afterEach(() => rmSync(at, { recursive: true, force: true }));

const OWN: OwnDisk = {
  disk: "/dev/vda",
  marker: MARKER,
  partitions: {
    EFI: { partuuid: GUIDS.EFI, device: "/dev/vda1" },
    BOOT: { partuuid: GUIDS.BOOT, device: "/dev/vda2" },
  },
  classKind: "ours",
  reason: "",
};
const IMAGE = Buffer.alloc(9_000_000, "image");
const SHA256 = createHash("sha256").update(IMAGE).digest("hex");
const SUMS = renderUkiSums(7, SHA256);

/** @param files of slot EFI; undefined: it cannot be mounted. */
async function check(files: Record<string, string | Uint8Array> | undefined): Promise<[SlotCheck, string[]]> {
  at = mkdtempSync(join(tmpdir(), "slipway-check-"));
  const ended: string[] = [];
  const calls = {
    fadvise: () => 0,
    errno: () => 117,
    mount: (source: string, target: string) => {
      if (files === undefined) return -1;
      for (const [path, bytes] of Object.entries(source === "/dev/vda1" ? files : {})) {
        mkdirSync(dirname(join(target, path)), { recursive: true });
        writeFileSync(join(target, path), bytes);
      }
      return 0;
    },
    umount: (target: string) => ended.push(target) * 0,
  } as unknown as DiskCalls;
  const result = await isSlotWhole(OWN, calls, new AbortController().signal, at);
  return [result, ended.map((target) => target.slice(at.length + 1))];
}

const flipped = Buffer.from(IMAGE);
flipped[5_000_000]! ^= 1;

const ROWS: [string, Record<string, string | Uint8Array> | undefined, Partial<SlotCheck>, RegExp?][] = [
  ["whole", { "slipway/7.efi": IMAGE, "slipway/7.sum": SUMS }, { kind: "whole", files: 1, bytes: 9_000_000 }],
  [
    "a flipped byte",
    { "slipway/7.efi": flipped, "slipway/7.sum": SUMS },
    { kind: "damaged" },
    /EFI\/slipway\/7.efi has SHA/,
  ],
  ["a file that is gone", { "slipway/7.sum": SUMS }, { kind: "damaged" }, /EFI\/slipway\/7.efi is gone/],
  ["sums that are none", { "slipway/7.sum": "x" }, { kind: "damaged" }, /7.sum is not a list of sums/],
  ["no image at all", {}, { kind: "damaged" }, /no slot holds an image/],
  ["a slot that cannot be mounted", undefined, { kind: "unknown" }, /file system on \/dev\/vda is damaged \(EUCLEAN\)/],
];
for (const [name, files, want, says] of ROWS) {
  test(`isSlotWhole: ${name}`, async () => {
    const [result, ended] = await check(files);
    expect(result).toMatchObject(want);
    if (says !== undefined) expect((result as { reason: string }).reason).toMatch(says);
    expect(ended).toEqual(
      files === undefined ? [] : name === "whole" || name.startsWith("no") ? ["EFI", "BOOT"] : ["EFI"],
    );
  });
}
