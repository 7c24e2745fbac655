// Reads what the build needs to know of an ELF64 little-endian file: sort, libraries, notes, module information. Pure.
// Sources: System V gABI chapters 4 and 5; systemd docs/ELF_DLOPEN_METADATA (.note.dlopen); Linux modinfo.
import { SlipwayError } from "../../server/contract/errors.ts";

export type ElfKind = "relocatable" | "executable" | "shared" | "other";
export type DlopenNote = { sonames: string[]; priority: "required" | "recommended" | "suggested"; feature: string };
export type ElfFile = {
  kind: ElfKind;
  /** e_machine: 62 x86-64, 183 AArch64. */
  machine: number;
  needed: string[];
  soname: string | undefined;
  runpath: string[];
  interpreter: string | undefined;
  dlopen: DlopenNote[];
  /** .modinfo of a kernel module, in order, as [key, value]. */
  modinfo: [string, string][];
};
type Section = { name: string; type: number; offset: number; size: number; link: number };

export const MACHINES = { amd64: 62, arm64: 183 } as const;
const KINDS: Record<number, ElfKind> = { 1: "relocatable", 2: "executable", 3: "shared" };
const DT = { needed: 1, soname: 14, rpath: 15, runpath: 29 };
const SHT = { dynamic: 6, note: 7, nobits: 8 };
const NT_DLOPEN = 0x407c0c0a;

export const isElf = (bytes: Uint8Array): boolean =>
  bytes.length >= 64 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

const utf8 = new TextDecoder();
function textAt(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(0, offset);
  return utf8.decode(bytes.subarray(offset, end < 0 ? bytes.length : end));
}

function readSections(bytes: Uint8Array, view: DataView): Section[] {
  const offset = Number(view.getBigUint64(40, true));
  const size = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  if (offset + count * size > bytes.length) throw new RangeError(`${count} section headers do not fit`);
  const raw = Array.from({ length: count }, (_, n) => {
    const at = offset + n * size;
    return {
      nameAt: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
      link: view.getUint32(at + 40, true),
    };
  });
  const names = raw[view.getUint16(62, true)];
  return raw.map(({ nameAt, ...section }) => ({ ...section, name: names ? textAt(bytes, names.offset + nameAt) : "" }));
}

function readDynamic(bytes: Uint8Array, view: DataView, sections: Section[]) {
  const found = { needed: [] as string[], soname: undefined as string | undefined, runpath: [] as string[] };
  const dynamic = sections.find((section) => section.type === SHT.dynamic);
  const strings = dynamic && sections[dynamic.link];
  if (!dynamic || !strings) return found;
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
    const tag = Number(view.getBigInt64(at, true));
    const value = () => textAt(bytes, strings.offset + Number(view.getBigUint64(at + 8, true)));
    if (tag === DT.needed) found.needed.push(value());
    else if (tag === DT.soname) found.soname = value();
    else if (tag === DT.runpath || tag === DT.rpath) found.runpath.push(...value().split(":"));
  }
  return found;
}

function readDlopen(bytes: Uint8Array, view: DataView, sections: Section[]): DlopenNote[] {
  const notes: DlopenNote[] = [];
  for (const section of sections.filter(({ type }) => type === SHT.note)) {
    const end = section.offset + section.size;
    for (let at = section.offset; at + 12 <= end; ) {
      const nameSize = view.getUint32(at, true);
      const size = view.getUint32(at + 4, true);
      const type = view.getUint32(at + 8, true);
      const start = at + 12 + Math.ceil(nameSize / 4) * 4;
      if (type === NT_DLOPEN) {
        const rows = JSON.parse(textAt(bytes.subarray(start, start + size), 0)) as {
          soname: string[];
          priority?: DlopenNote["priority"];
          feature?: string;
        }[];
        // The specification's default priority is "recommended".
        for (const row of rows)
          notes.push({ sonames: row.soname, priority: row.priority ?? "recommended", feature: row.feature ?? "" });
      }
      at = start + Math.ceil(size / 4) * 4;
    }
  }
  return notes;
}

function readModinfo(bytes: Uint8Array, sections: Section[]): [string, string][] {
  const section = sections.find(({ name }) => name === ".modinfo");
  if (!section) return [];
  return utf8
    .decode(bytes.subarray(section.offset, section.offset + section.size))
    .split("\0")
    .filter((row) => row.includes("="))
    .map((row) => [row.slice(0, row.indexOf("=")), row.slice(row.indexOf("=") + 1)]);
}

/**
 * Reads an ELF64 little-endian file.
 *
 * @throws SlipwayError ASSET_DAMAGED when it is another class, byte order, or cut short.
 */
export function readElf(bytes: Uint8Array, name: string): ElfFile {
  if (!isElf(bytes) || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new SlipwayError("ASSET_DAMAGED", `${name} is no ELF64 little-endian file`);
  }
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sections = readSections(bytes, view);
    const interp = sections.find((section) => section.name === ".interp");
    return {
      kind: KINDS[view.getUint16(16, true)] ?? "other",
      machine: view.getUint16(18, true),
      ...readDynamic(bytes, view, sections),
      interpreter: interp && textAt(bytes, interp.offset),
      dlopen: readDlopen(bytes, view, sections),
      modinfo: readModinfo(bytes, sections),
    };
  } catch (cause) {
    throw new SlipwayError("ASSET_DAMAGED", `${name} is an ELF file that cannot be read to its end`, { cause });
  }
}
