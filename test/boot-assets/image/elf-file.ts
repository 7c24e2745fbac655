// Makes small ELF64 files for the tests of closure, allow-list and modules: only what elf.ts reads.

export type ElfParts = {
  type?: number;
  machine?: number;
  needed?: readonly string[];
  soname?: string;
  runpath?: string;
  interpreter?: string;
  /** JSON of a .note.dlopen. */
  dlopen?: unknown;
  modinfo?: readonly string[];
  /** C strings in a section of their own. */
  strings?: readonly string[];
};

type Section = { name: string; type: number; bytes: Buffer; link?: number };

const cString = (text: string) => Buffer.from(`${text}\0`);

/** Offsets of strings in a table that starts with the empty one. */
function stringTable(texts: readonly string[]): { bytes: Buffer; at: Map<string, number> } {
  let bytes = Buffer.from("\0");
  const at = new Map<string, number>();
  for (const text of texts) {
    at.set(text, bytes.length);
    bytes = Buffer.concat([bytes, cString(text)]);
  }
  return { bytes, at };
}

function dynamicSections(parts: ElfParts): Section[] {
  const rows: [number, string][] = (parts.needed ?? []).map((name) => [1, name]);
  if (parts.soname !== undefined) rows.push([14, parts.soname]);
  if (parts.runpath !== undefined) rows.push([29, parts.runpath]);
  if (rows.length === 0) return [];
  const { bytes, at } = stringTable(rows.map(([, text]) => text));
  const dynamic = Buffer.alloc((rows.length + 1) * 16);
  for (const [n, [tag, text]] of rows.entries()) {
    dynamic.writeBigInt64LE(BigInt(tag), n * 16);
    dynamic.writeBigUInt64LE(BigInt(at.get(text)!), n * 16 + 8);
  }
  return [
    { name: ".dynstr", type: 3, bytes },
    { name: ".dynamic", type: 6, bytes: dynamic, link: 1 },
  ];
}

function dlopenNote(json: unknown): Buffer {
  const text = cString(JSON.stringify(json));
  const head = Buffer.alloc(16);
  head.writeUInt32LE(4, 0);
  head.writeUInt32LE(text.length, 4);
  head.writeUInt32LE(0x407c0c0a, 8);
  head.write("FDO\0", 12);
  return Buffer.concat([head, text, Buffer.alloc((4 - (text.length % 4)) % 4)]);
}

/** An ELF file with a null section, .dynstr and .dynamic first, then the others, then .shstrtab. */
export function elfFile(parts: ElfParts = {}): Uint8Array {
  const sections: Section[] = [{ name: "", type: 0, bytes: Buffer.alloc(0) }, ...dynamicSections(parts)];
  const add = (name: string, type: number, bytes: Buffer) => sections.push({ name, type, bytes });
  if (parts.interpreter !== undefined) add(".interp", 1, cString(parts.interpreter));
  if (parts.dlopen !== undefined) add(".note.dlopen", 7, dlopenNote(parts.dlopen));
  if (parts.modinfo !== undefined) add(".modinfo", 1, Buffer.concat(parts.modinfo.map(cString)));
  if (parts.strings !== undefined) add(".rodata", 1, Buffer.from(`\0${parts.strings.join("\0")}\0`));
  const names = stringTable([...sections.map(({ name }) => name), ".shstrtab"]);
  add(".shstrtab", 3, names.bytes);
  const header = Buffer.alloc(64);
  header.write("\x7fELF\x02\x01\x01", 0, "latin1");
  header.writeUInt16LE(parts.type ?? 3, 16);
  header.writeUInt16LE(parts.machine ?? 62, 18);
  const body = Buffer.concat(sections.map(({ bytes }) => bytes));
  header.writeBigUInt64LE(BigInt(64 + body.length), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(sections.length, 60);
  header.writeUInt16LE(sections.length - 1, 62);
  let offset = 64;
  const table = sections.map(({ name, type, bytes, link }) => {
    const row = Buffer.alloc(64);
    row.writeUInt32LE(name === "" ? 0 : names.at.get(name)!, 0);
    row.writeUInt32LE(type, 4);
    row.writeBigUInt64LE(BigInt(offset), 24);
    row.writeBigUInt64LE(BigInt(bytes.length), 32);
    row.writeUInt32LE(link ?? 0, 40);
    offset += bytes.length;
    return row;
  });
  return Buffer.concat([header, body, ...table]);
}
