// What the tests of node-agent/install/ share: GUIDs by number, a disk in memory, its head and tail, a seeded chance.
import { HEAD_BYTES, TAIL_BYTES } from "../../../node-agent/install/disk-areas.ts";
import type { DiskWrite, SectorBytes } from "../../../node-agent/install/gpt.ts";
import type { DiskBytes } from "../../../node-agent/install/gpt-decode.ts";
import type { LayoutGuids } from "../../../node-agent/install/layout.ts";
import type { Marker } from "../../../node-agent/install/marker.ts";

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;

/** A GUID that shows its number: 00000007-1111-4222-8333-444444444444. */
export const guid = (n: number): string => `${n.toString(16).padStart(8, "0")}-1111-4222-8333-444444444444`;

export const GUIDS: LayoutGuids = {
  disk: guid(1),
  EFI: guid(2),
  BIOS: guid(3),
  BOOT: guid(4),
  META: guid(5),
  STATE: guid(6),
  EPHEMERAL: guid(7),
};

export const MARKER: Marker = {
  schema: 1,
  sequence: 1,
  owner: "a".repeat(64),
  machine: "node-1",
  install: 1,
  order: "order-1",
  phase: "partitioning",
  guids: GUIDS,
  erases: [],
};

/** The first and last bytes of a disk after some writes; what lies between is not kept. */
export function diskOf(sizeBytes: number, sectorBytes: SectorBytes, writes: readonly DiskWrite[] = []): DiskBytes {
  const head = Buffer.alloc(Math.min(HEAD_BYTES, sizeBytes));
  const tail = Buffer.alloc(Math.min(TAIL_BYTES, sizeBytes));
  for (const { offset, bytes } of writes) {
    place(head, 0, offset, bytes);
    place(tail, sizeBytes - tail.length, offset, bytes);
  }
  return { sizeBytes, sectorBytes, head, tail };
}

function place(area: Buffer, areaAt: number, offset: number, bytes: Uint8Array): void {
  const from = Math.max(offset, areaAt);
  const to = Math.min(offset + bytes.length, areaAt + area.length);
  if (from < to) area.set(bytes.subarray(from - offset, to - offset), from - areaAt);
}

/** mulberry32: the same seed gives the same numbers from 0 to 1. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
