// A unified kernel image: systemd's EFI stub with kernel, initramfs and command line as sections of one PE file, so that
// one hash (and one signature) covers the whole OS. Pure and deterministic: no time, no checksum. Format: PE/COFF
// specification §3, §4; UAPI Group "Unified Kernel Image" specification. Netboot serves `.linux` and `.initrd` as byte
// ranges of this file, hence their places are returned.
import { SlipwayError } from "../../server/contract/errors.ts";

export type UkiSection = { name: ".osrel" | ".cmdline" | ".uname" | ".linux" | ".initrd"; bytes: Uint8Array };
/** Where a section's bytes lie in the file. */
export type Range = { offset: number; bytes: number };
export type Uki = { bytes: Uint8Array; ranges: Record<string, Range> };

const PAGE = 4096;
const SECTION_HEADER = 40;
/** Initialised data, readable; the kernel also counts as code, as ukify marks it. */
const DATA = 0x40000040;
const CODE = 0x60000020;
const align = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Fields of the optional header, from its start (PE32+). */
const OPTIONAL = { sectionAlignment: 32, sizeOfImage: 56, sizeOfHeaders: 60, checkSum: 64, sizeOfInitializedData: 8 };

type Stub = { coff: number; optional: number; table: number; count: number; imageEnd: number };

function readStub(stub: Buffer): Stub {
  const pe = stub.length > 64 ? stub.readUInt32LE(60) : 0;
  if (stub.toString("latin1", 0, 2) !== "MZ" || stub.toString("latin1", pe, pe + 4) !== "PE\0\0") {
    throw new SlipwayError("ASSET_DAMAGED", "the EFI stub is no PE file");
  }
  const coff = pe + 4;
  const optional = coff + 20;
  const table = optional + stub.readUInt16LE(coff + 16);
  const count = stub.readUInt16LE(coff + 2);
  const ends = Array.from({ length: count }, (_, n) => {
    const at = table + n * SECTION_HEADER;
    return stub.readUInt32LE(at + 12) + stub.readUInt32LE(at + 8);
  });
  return { coff, optional, table, count, imageEnd: Math.max(...ends) };
}

/**
 * Appends the sections in the order given; each starts on a page in the file and in memory.
 *
 * @param stub systemd's linux*.efi.stub.
 * @throws SlipwayError ASSET_DAMAGED when it is no PE file, INTERNAL when its header has no room for the sections.
 */
export function encodeUki(stub: Uint8Array, sections: readonly UkiSection[]): Uki {
  const source = Buffer.from(stub);
  const { coff, optional, table, count, imageEnd } = readStub(source);
  const headersEnd = source.readUInt32LE(optional + OPTIONAL.sizeOfHeaders);
  if (table + (count + sections.length) * SECTION_HEADER > headersEnd) {
    throw new SlipwayError("INTERNAL", `the EFI stub's header has no room for ${sections.length} more sections`);
  }
  const parts: Uint8Array[] = [source];
  const ranges: Record<string, Range> = {};
  let fileAt = source.length;
  let memoryAt = imageEnd;
  let dataBytes = 0;
  for (const [n, { name, bytes }] of sections.entries()) {
    const offset = align(fileAt, PAGE);
    const stored = align(bytes.length, PAGE);
    memoryAt = align(memoryAt, PAGE);
    const at = table + (count + n) * SECTION_HEADER;
    source.fill(0, at, at + SECTION_HEADER);
    source.write(name, at, 8, "latin1");
    source.writeUInt32LE(bytes.length, at + 8);
    source.writeUInt32LE(memoryAt, at + 12);
    source.writeUInt32LE(stored, at + 16);
    source.writeUInt32LE(offset, at + 20);
    source.writeUInt32LE(name === ".linux" ? CODE : DATA, at + 36);
    parts.push(new Uint8Array(offset - fileAt), bytes, new Uint8Array(stored - bytes.length));
    ranges[name] = { offset, bytes: bytes.length };
    fileAt = offset + stored;
    memoryAt += bytes.length;
    if (name !== ".linux") dataBytes += stored;
  }
  source.writeUInt16LE(count + sections.length, coff + 2);
  source.writeUInt32LE(0, coff + 4);
  source.writeUInt32LE(
    source.readUInt32LE(optional + OPTIONAL.sizeOfInitializedData) + dataBytes,
    optional + OPTIONAL.sizeOfInitializedData,
  );
  source.writeUInt32LE(align(memoryAt, PAGE), optional + OPTIONAL.sizeOfImage);
  source.writeUInt32LE(0, optional + OPTIONAL.checkSum);
  return { bytes: Buffer.concat(parts), ranges };
}
