// sgdisk (package gdisk) reads and checks what we write, and we read what it writes. Sparse files, no root.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { HEAD_BYTES, TAIL_BYTES } from "../../../node-agent/install/disk-areas.ts";
import { encodeGpt } from "../../../node-agent/install/gpt.ts";
import { type DiskBytes, decodeGpt } from "../../../node-agent/install/gpt-decode.ts";
import { planLayout } from "../../../node-agent/install/layout.ts";
import { GIB, GUIDS } from "./disk.ts";

const DIR = mkdtempSync(join(tmpdir(), "slipway-gpt-"));
afterAll(() => rmSync(DIR, { recursive: true }));

const run = (...args: string[]) => execFileSync(args[0]!, args.slice(1), { encoding: "utf8" });

function sparse(name: string, sizeBytes: number): string {
  const path = join(DIR, name);
  writeFileSync(path, "");
  truncateSync(path, sizeBytes);
  return path;
}

function readDisk(path: string, sizeBytes: number): DiskBytes {
  const file = openSync(path, "r");
  const head = Buffer.alloc(HEAD_BYTES);
  const tail = Buffer.alloc(TAIL_BYTES);
  readSync(file, head, 0, HEAD_BYTES, 0);
  readSync(file, tail, 0, TAIL_BYTES, sizeBytes - TAIL_BYTES);
  closeSync(file);
  return { sizeBytes, sectorBytes: 512, head, tail };
}

describe("sgdisk", () => {
  for (const firmware of ["uefi-x86_64", "bios"] as const) {
    test(`finds no problem in our table: ${firmware}`, () => {
      const path = sparse(`ours-${firmware}`, 20 * GIB);
      const outcome = planLayout({ sizeBytes: 20 * GIB, sectorBytes: 512 }, firmware, GUIDS);
      if (outcome.kind !== "layout") throw new Error(outcome.reason);
      const { backup, primary } = encodeGpt(outcome.layout.gpt);
      const file = openSync(path, "r+");
      for (const { offset, bytes } of [backup, primary]) writeSync(file, bytes, 0, bytes.length, offset);
      closeSync(file);
      expect(run("sgdisk", "-v", path)).toContain("No problems found.");
      const shown = run("sgdisk", "-p", path);
      const labels = [...shown.matchAll(/^ +(\d+) .* (\w+)$/gm)].map((m) => `${m[1]} ${m[2]}`);
      expect(labels).toEqual(outcome.layout.partitions.map((p) => `${p.number} ${p.label}`));
      expect(run("sgdisk", "-i", "1", path)).toContain("EFI system partition");
      expect(run("sgdisk", "-i", firmware === "bios" ? "3" : "2", path)).toContain("XBOOTLDR");
    });
  }
  test("does find one when a byte is wrong", () => {
    const path = sparse("broken", 20 * GIB);
    const outcome = planLayout({ sizeBytes: 20 * GIB, sectorBytes: 512 }, "bios", GUIDS);
    if (outcome.kind !== "layout") throw new Error(outcome.reason);
    const { backup, primary } = encodeGpt(outcome.layout.gpt);
    primary.bytes[1024 + 40]! ^= 1;
    const file = openSync(path, "r+");
    for (const { offset, bytes } of [backup, primary]) writeSync(file, bytes, 0, bytes.length, offset);
    closeSync(file);
    expect(run("sgdisk", "-v", path)).not.toContain("No problems found.");
  });
  test("writes a table that we read", () => {
    const path = sparse("theirs", GIB);
    run("sgdisk", "-n", "1:2048:+100M", "-t", "1:ef00", "-c", "1:first", "-n", "5:0:+1M", "-A", "5:set:63", path);
    const reading = decodeGpt(readDisk(path, GIB));
    expect(reading).toMatchObject({
      kind: "gpt",
      from: "primary",
      faults: [],
      gpt: {
        partitions: [
          {
            number: 1,
            label: "first",
            firstLba: 2048,
            lastLba: 206847,
            typeGuid: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
          },
          { number: 5, firstLba: 206848, lastLba: 208895, attributes: 1n << 63n },
        ],
      },
    });
  });
});
