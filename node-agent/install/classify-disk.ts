// Whose disk is it? Judged from its first 2 MiB and last 1 MiB, without mounting anything. Only our own marker makes a disk
// ours, and only as long as nothing else says that somebody used it since; all that is not blank is foreign. Called by
// plan-install.ts and by the choice of a disk. Pure. signatures.ts has the table.
import { MARKER_END, MARKER_OFFSET } from "./disk-areas.ts";
import type { Gpt } from "./gpt.ts";
import { bytesAt, type DiskBytes, decodeGpt } from "./gpt-decode.ts";
import { decodeGuid } from "./guid.ts";
import { findMarker, type Marker } from "./marker.ts";
import { findSignatures, formatSignature, type Signature } from "./signatures.ts";

/** Whom the disk must belong to. */
export type Holder = {
  /** SHA-256 of the owner's public key, hex. */
  owner: string;
  machine: string;
};

/** What a disk is. `detail` is for people; `signatures` is what a wipe would erase. */
export type DiskClass =
  | { kind: "blank"; detail: string }
  | { kind: "ours"; marker: Marker; state: "cut" | "complete"; detail: string }
  | { kind: "other-machine"; marker: Marker; detail: string; signatures: Signature[] }
  | { kind: "other-owner"; marker: Marker; detail: string; signatures: Signature[] }
  | { kind: "talos"; detail: string; signatures: Signature[] }
  /** `leftover`: a marker that no longer counts, for somebody used the disk since. */
  | { kind: "foreign"; detail: string; signatures: Signature[]; leftover?: Marker };

/** Partition labels that only Talos, and we after it, use together. */
const TALOS_LABELS = ["META", "STATE", "EPHEMERAL"];

/** Judges a disk. Fewer bytes than asked for are fine as long as they are the disk's: what was not read counts as absent. */
export function classifyDisk(disk: DiskBytes, holder: Holder): DiskClass {
  const signatures = findSignatures(disk);
  const marker = findMarker(disk);
  if (marker === undefined) return classifyUnmarked(disk, signatures);
  const foreign = signatures.filter((signature) => !isExpected(disk, marker, signature));
  if (foreign.length > 0) {
    const detail = `${describe(disk, foreign)}; a Slipway marker is left over from before`;
    return { kind: "foreign", detail, signatures, leftover: marker };
  }
  return classifyMarked(disk, marker, holder, signatures);
}

/**
 * The same for an agent that does not know yet whose machine this is: any whole marker counts as a Slipway OS, in words only.
 * `unknown`: bytes that no known system wrote.
 */
export type DiskContent = { content: "empty" | "slipway" | "foreign" | "unknown"; detail: string };

export function contentOf(disk: DiskBytes): DiskContent {
  const marker = findMarker(disk);
  const found = classifyDisk(disk, { owner: marker?.owner ?? "", machine: marker?.machine ?? "" });
  if (found.kind === "blank") return { content: "empty", detail: found.detail };
  if (found.kind === "ours") return { content: "slipway", detail: found.detail };
  const isUnknown = found.kind === "foreign" && found.signatures.length === 0;
  return { content: isUnknown ? "unknown" : "foreign", detail: found.detail };
}

function classifyMarked(disk: DiskBytes, marker: Marker, holder: Holder, signatures: Signature[]): DiskClass {
  if (marker.owner !== holder.owner) {
    const detail = `the Slipway of another owner (key ${marker.owner.slice(0, 12)}…), machine ${marker.machine}`;
    return { kind: "other-owner", marker, detail, signatures };
  }
  if (marker.machine !== holder.machine) {
    const detail = `the Slipway OS of another machine of yours (${marker.machine})`;
    return { kind: "other-machine", marker, detail, signatures };
  }
  const gpt = decodeGpt(disk);
  const isWhole = gpt.kind === "gpt" && gpt.gpt.diskGuid === marker.guids.disk;
  if (marker.phase === "complete" && isWhole) {
    return { kind: "ours", marker, state: "complete", detail: `Slipway OS, install ${marker.install}` };
  }
  const detail = `install ${marker.install} of Slipway OS, cut while ${marker.phase === "complete" ? "its partition table was changed" : marker.phase}`;
  return { kind: "ours", marker, state: "cut", detail };
}

/** Signatures that belong to a disk with this marker: its own table, and in `wiping` what was to be erased. */
function isExpected(disk: DiskBytes, marker: Marker, signature: Signature): boolean {
  if (marker.phase === "wiping" && marker.erases.includes(formatSignature(signature))) return true;
  if (signature.name === "protective MBR") return true;
  if (!signature.name.startsWith("GPT")) return false;
  const header = bytesAt(disk, signature.at, 72);
  return header !== undefined && decodeGuid(header, 56) === marker.guids.disk;
}

function classifyUnmarked(disk: DiskBytes, signatures: Signature[]): DiskClass {
  const reading = decodeGpt(disk);
  if (reading.kind === "gpt" && TALOS_LABELS.every((label) => reading.gpt.partitions.some((p) => p.label === label))) {
    const detail = `Talos, or a Slipway OS that lost its marker: ${describeGpt(reading.gpt)}`;
    return { kind: "talos", detail, signatures };
  }
  if (reading.kind === "gpt" && isEmptyTable(disk, reading.gpt, signatures)) {
    return { kind: "blank", detail: "an empty GPT" };
  }
  if (signatures.length > 0) return { kind: "foreign", detail: describe(disk, signatures), signatures };
  if (isBlank(withoutMarker(disk.head, disk.head[0] ?? 0)) && isBlank(disk.tail)) return { kind: "blank", detail: "" };
  return { kind: "foreign", detail: "data that no known system wrote", signatures };
}

/** A table without partitions, as new disks are sold with, and nothing else in head and tail: no data. */
function isEmptyTable(disk: DiskBytes, gpt: Gpt, signatures: readonly Signature[]): boolean {
  if (gpt.partitions.length > 0) return false;
  if (signatures.some(({ name }) => !name.startsWith("GPT") && name !== "protective MBR")) return false;
  const tablesEnd = 2 * gpt.sectorBytes + 16_384;
  const backupBytes = gpt.sectorBytes + 16_384;
  return isBlank(withoutMarker(disk.head, 0).subarray(tablesEnd)) && isBlank(disk.tail.subarray(0, -backupBytes));
}

/**
 * The head with the marker's place filled. Half a marker is what a cut leaves of the first write to a blank
 * disk, or of the last one of a reset: nothing that anybody could miss, and the machine must go on by itself.
 */
function withoutMarker(head: Uint8Array, fill: number): Uint8Array {
  return new Uint8Array(head).fill(fill, MARKER_OFFSET, MARKER_END);
}

/** All zeros, or all ones as an erased flash reads. */
function isBlank(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  // Compared as a whole: byte by byte it takes a noticeable time for 3 MiB and many disks.
  return (first === 0 || first === 0xff) && Buffer.alloc(bytes.length, first).equals(bytes);
}

/** What stands there, most telling first: `GPT with 2 partitions (EFI, data)`, `LUKS`. */
function describe(disk: DiskBytes, signatures: readonly Signature[]): string {
  const reading = decodeGpt(disk);
  const names = [...new Set(signatures.map(({ name }) => name))].filter(
    (name) => !name.startsWith("GPT") && name !== "protective MBR",
  );
  if (reading.kind === "gpt") return [describeGpt(reading.gpt), ...names].join(", ");
  if (reading.kind === "damaged") return ["a damaged GPT", ...names].join(", ");
  return names.length > 0 ? names.join(", ") : "the protective MBR of a GPT that is gone";
}

function describeGpt(gpt: Gpt): string {
  // Labels land on screens and in logs: what is not plain ASCII is left out.
  const labels = gpt.partitions.map(({ label }) => label.replace(/[^\x20-\x7e]/g, "")).filter((label) => label !== "");
  const count = gpt.partitions.length;
  const names = labels.length === 0 ? "" : ` (${labels.slice(0, 6).join(", ")})`;
  return `GPT with ${count} partition${count === 1 ? "" : "s"}${names}`;
}
