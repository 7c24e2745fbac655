// EFI device paths: the nodes that boot entries of disks and networks are made of. Called by efi-load-option.ts. Pure.
// Source: UEFI 2.10 §10.3 (header: type, subtype, length LE), §10.3.5.1 hard drive, §10.3.5.4 file path.
import { SlipwayError } from "../../server/contract/errors.ts";
import { decodeGuid, encodeGuid } from "./guid.ts";

export type DevicePathNode =
  | { kind: "hard-drive"; partition: number; firstLba: number; lbas: number; guid: string }
  | { kind: "file"; path: string }
  | { kind: "other"; type: number; subtype: number; bytes: Uint8Array };

const HARD_DRIVE = { type: 4, subtype: 1, length: 42 } as const;
const FILE = { type: 4, subtype: 4 } as const;
const END_TYPE = 0x7f;
const END_ALL = 0xff;
/** The signature is a GUID, of a GPT. */
const GPT_FORMAT = 2;
const GUID_SIGNATURE = 2;

/** Messaging nodes that only a network entry has: MAC, IPv4, IPv6, URI. */
const NETWORK_SUBTYPES = [11, 12, 13, 24];
export const isNetworkNode = (node: DevicePathNode): boolean =>
  node.kind === "other" && node.type === 3 && NETWORK_SUBTYPES.includes(node.subtype);

/** Nodes and the end of the whole path. File paths get backslashes. */
export function encodeDevicePath(nodes: readonly DevicePathNode[]): Buffer {
  return Buffer.concat([...nodes.map(encodeNode), header(END_TYPE, END_ALL, 0)]);
}

function header(type: number, subtype: number, length: number): Buffer {
  if (length + 4 > 0xffff) throw new SlipwayError("INTERNAL", `EFI device path node of ${length} bytes; 65531 fit`);
  return Buffer.from([type, subtype, (length + 4) & 0xff, (length + 4) >> 8]);
}

function encodeNode(node: DevicePathNode): Buffer {
  if (node.kind === "other") return Buffer.concat([header(node.type, node.subtype, node.bytes.length), node.bytes]);
  if (node.kind === "file") {
    const text = Buffer.from(`${node.path.replaceAll("/", "\\")}\0`, "utf16le");
    return Buffer.concat([header(FILE.type, FILE.subtype, text.length), text]);
  }
  const body = Buffer.alloc(HARD_DRIVE.length - 4);
  body.writeUInt32LE(node.partition, 0);
  body.writeBigUInt64LE(BigInt(node.firstLba), 4);
  body.writeBigUInt64LE(BigInt(node.lbas), 12);
  encodeGuid(node.guid).copy(body, 20);
  body[36] = GPT_FORMAT;
  body[37] = GUID_SIGNATURE;
  return Buffer.concat([header(HARD_DRIVE.type, HARD_DRIVE.subtype, body.length), body]);
}

/** `damaged` names the byte of the path at which it stops making sense; firmware vendors write such entries too. */
export type DevicePathReading =
  | { kind: "path"; nodes: DevicePathNode[]; bytes: number }
  | { kind: "damaged"; at: number; reason: string };

/** Reads up to the end of the whole path; what follows is left alone. */
export function decodeDevicePath(bytes: Uint8Array): DevicePathReading {
  const path = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nodes: DevicePathNode[] = [];
  let at = 0;
  while (at + 4 <= path.length) {
    const [type, subtype] = [path[at]!, path[at + 1]!];
    const length = path.readUInt16LE(at + 2);
    if (length < 4 || at + length > path.length) {
      return { kind: "damaged", at, reason: `node of ${length} bytes, ${path.length - at} are left` };
    }
    if (type === END_TYPE && subtype === END_ALL) return { kind: "path", nodes, bytes: at + length };
    nodes.push(decodeNode(type, subtype, path.subarray(at + 4, at + length)));
    at += length;
  }
  return { kind: "damaged", at, reason: "the path has no end" };
}

function decodeNode(type: number, subtype: number, body: Buffer): DevicePathNode {
  if (type === FILE.type && subtype === FILE.subtype) {
    return { kind: "file", path: body.toString("utf16le").split("\0")[0]!.replaceAll("\\", "/") };
  }
  const isGpt = body.length === HARD_DRIVE.length - 4 && body[36] === GPT_FORMAT && body[37] === GUID_SIGNATURE;
  if (type === HARD_DRIVE.type && subtype === HARD_DRIVE.subtype && isGpt) {
    return {
      kind: "hard-drive",
      partition: body.readUInt32LE(0),
      firstLba: Number(body.readBigUInt64LE(4)),
      lbas: Number(body.readBigUInt64LE(12)),
      guid: decodeGuid(body, 20),
    };
  }
  return { kind: "other", type, subtype, bytes: new Uint8Array(body) };
}
