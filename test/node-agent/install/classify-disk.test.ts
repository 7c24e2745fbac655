import { describe, expect, test } from "vitest";
import { classifyDisk, type Holder } from "../../../node-agent/install/classify-disk.ts";
import { MARKER_OFFSET } from "../../../node-agent/install/disk-areas.ts";
import { type DiskWrite, encodeGpt } from "../../../node-agent/install/gpt.ts";
import { planLayout } from "../../../node-agent/install/layout.ts";
import { encodeMarker, type Marker, PHASES } from "../../../node-agent/install/marker.ts";
import { findSignatures, formatSignature, SIGNATURES } from "../../../node-agent/install/signatures.ts";
import { diskOf, GIB, GUIDS, guid, MARKER } from "./disk.ts";

const SIZE = 20 * GIB;
const HOLDER: Holder = { owner: "a".repeat(64), machine: "node-1" };
const COMPLETE: Marker = { ...MARKER, ...HOLDER, install: 3, phase: "complete" };

const marker = (over: Partial<Marker> = {}): DiskWrite => encodeMarker({ ...COMPLETE, ...over });
const at = (offset: number, text: string): DiskWrite => ({ offset, bytes: Buffer.from(text, "latin1") });

/** Our layout's table, with another disk GUID or other labels where asked. */
function table(over: { disk?: string; labels?: string[] } = {}): DiskWrite[] {
  const outcome = planLayout({ sizeBytes: SIZE, sectorBytes: 512 }, "uefi-x86_64", {
    ...GUIDS,
    disk: over.disk ?? guid(1),
  });
  if (outcome.kind !== "layout") throw new Error(outcome.reason);
  const { gpt } = outcome.layout;
  const labels = over.labels ?? gpt.partitions.map((p) => p.label);
  const partitions = gpt.partitions.slice(0, labels.length).map((p, n) => ({ ...p, label: labels[n]! }));
  const { backup, primary } = encodeGpt({ ...gpt, partitions });
  return [backup, primary];
}

const judge = (...writes: DiskWrite[]) => classifyDisk(diskOf(SIZE, 512, writes), HOLDER);

/** A boot sector with an MBR: partition types in order. */
function mbr(...types: number[]): DiskWrite {
  const bytes = Buffer.alloc(512);
  for (const [n, type] of types.entries()) bytes[446 + n * 16 + 4] = type;
  bytes.set([0x55, 0xaa], 510);
  return { offset: 0, bytes };
}

describe("findSignatures", () => {
  for (const { name, mark, at: places } of SIGNATURES) {
    test(`knows ${name} at ${places.slice(0, 4).join(", ")}${places.length > 4 ? " …" : ""}`, () => {
      for (const place of places) {
        const offset = place < 0 ? SIZE + place : place;
        const found = findSignatures(diskOf(SIZE, 512, [at(offset, mark)]));
        expect(found.map((s) => `${s.name} ${s.at}`)).toContain(`${name} ${offset}`);
      }
    });
  }
  test("knows MD RAID 0.90 and 1.0 at the end of an odd-sized disk", () => {
    const sizeBytes = 500_107_862_016;
    for (const offset of [500_107_771_904, 500_107_853_824]) {
      const found = findSignatures(diskOf(sizeBytes, 512, [at(offset, "\xfc\x4e\x2b\xa9")]));
      expect(found).toMatchObject([{ name: "MD RAID", at: offset }]);
    }
  });
  test("takes no FAT boot sector for a partition table", () => {
    const boot = mbr(0x83);
    Buffer.from("FAT32   ").copy(boot.bytes as Buffer, 82);
    expect(findSignatures(diskOf(SIZE, 512, [boot])).map((s) => s.name)).toEqual(["FAT32"]);
  });
  test("tells two file systems of a kind apart by what stands around the mark", () => {
    const [one, two] = ["uuid-one", "uuid-two"].map((uuid) => diskOf(SIZE, 512, [at(0, "XFSB"), at(32, uuid)]));
    expect(formatSignature(findSignatures(one!)[0]!)).not.toBe(formatSignature(findSignatures(two!)[0]!));
    expect(formatSignature(findSignatures(one!)[0]!)).toMatch(/^XFS@0#[0-9a-f]{8}$/);
  });
});

describe("classifyDisk", () => {
  const xfs = at(0, "XFSB");
  const xfsWord = formatSignature(findSignatures(diskOf(SIZE, 512, [xfs]))[0]!);
  const ROWS: [string, DiskWrite[], string, RegExp][] = [
    ["zeros", [], "blank", /^$/],
    ["an empty GPT", table({ labels: [] }), "blank", /an empty GPT/],
    ["an empty GPT with bytes behind it", [...table({ labels: [] }), at(1_048_576, "old")], "foreign", /GPT with 0/],
    ["bytes that nobody knows", [at(700_000, "x")], "foreign", /data that no known system wrote/],
    ["bytes at the end", [at(SIZE - 5, "x")], "foreign", /data that no known system wrote/],
    ["bytes at 1 MiB, its table gone", [at(1_048_576 + 82, "FAT32")], "foreign", /data that no known/],
    ["ext4", [at(1080, "\x53\xef")], "foreign", /^ext2, ext3 or ext4$/],
    ["a GPT", table({ labels: ["EFI", "root\u001b[2J"] }), "foreign", /^GPT with 2 partitions \(EFI, root\[2J\)$/],
    ["an MBR", [mbr(0x83, 0x07)], "foreign", /^MBR with 2 partitions$/],
    ["a protective MBR alone", [mbr(0xee)], "foreign", /GPT that is gone/],
    ["a damaged GPT", [at(512, "EFI PART")], "foreign", /^a damaged GPT$/],
    ["half a marker on a blank disk", [at(MARKER_OFFSET + 512, "rest of the text")], "blank", /^$/],
    ["Talos's labels without a marker", table(), "talos", /Talos, or a Slipway OS that lost its marker/],
    ["our whole disk", [...table(), marker()], "ours", /^Slipway OS, install 3$/],
    ["our marker alone", [marker({ phase: "partitioning" })], "ours", /cut while partitioning/],
    ["our marker and half a table", [table()[0]!, marker({ phase: "partitioning" })], "ours", /cut/],
    ["our disk, whose table was erased", [marker()], "ours", /cut while its partition table was changed/],
    [
      "another machine's",
      [...table(), marker({ machine: "node-2" })],
      "other-machine",
      /another machine of yours \(node-2\)/,
    ],
    [
      "another owner's",
      [...table(), marker({ owner: "b".repeat(64) })],
      "other-owner",
      /another owner \(key bbbbbbbbbbbb…/,
    ],
    ["another table under our marker", [...table({ disk: guid(99) }), marker()], "foreign", /marker is left over/],
    ["a file system made over our disk", [...table(), marker(), at(1080, "\x53\xef")], "foreign", /ext2.*left over/],
    [
      "what may be erased, not yet erased",
      [xfs, marker({ phase: "wiping", erases: [xfsWord] })],
      "ours",
      /cut while wiping/,
    ],
    [
      "the same after a cut wipe, with another file system",
      [xfs, at(32, "new"), marker({ phase: "wiping", erases: [xfsWord] })],
      "foreign",
      /XFS/,
    ],
    ["the same in a later phase", [xfs, marker({ phase: "partitioning", erases: [xfsWord] })], "foreign", /XFS/],
  ];
  for (const [name, writes, kind, detail] of ROWS) {
    test(`${name}: ${kind}`, () => {
      const judged = judge(...writes);
      expect(judged.kind).toBe(kind);
      expect(judged.detail).toMatch(detail);
    });
  }
  test("an erased flash that reads as ones is blank", () => {
    const disk = diskOf(SIZE, 512);
    disk.head.fill(0xff);
    disk.tail.fill(0xff);
    expect(classifyDisk(disk, HOLDER).kind).toBe("blank");
  });
  test("every phase but the last is a cut install", () => {
    const states = PHASES.map((phase) => judge(...table(), marker({ phase })));
    expect(states.map((s) => (s.kind === "ours" ? s.state : s.kind))).toEqual(["cut", "cut", "cut", "complete"]);
  });
  test("every sector-wise cut of a permitted wipe stays ours", () => {
    const before = diskOf(SIZE, 512, table({ disk: guid(50), labels: ["EFI", "debian"] }));
    const erases = findSignatures(before).map(formatSignature);
    const mark = marker({ phase: "wiping", erases });
    for (let sector = 0; sector < 64; sector++) {
      const disk = diskOf(SIZE, 512, [...table({ disk: guid(50), labels: ["EFI", "debian"] }), mark]);
      disk.head.fill(0, 0, sector * 512);
      expect(classifyDisk(disk, HOLDER), `cut after ${sector} sectors`).toMatchObject({ kind: "ours", state: "cut" });
    }
  });
});
