// The firmware's boot variables as values: Boot#### (EFI_LOAD_OPTION) and BootOrder, in the form that efivarfs has them,
// with four bytes of attributes in front. Called by efi-boot-order.ts. Pure. Checked against efibootmgr.
// Source: UEFI 2.10 §3.1.3 (load options), §3.3 (variables); Linux Documentation/filesystems/efivarfs.
//
//   efivarfs: 0 attributes (LE) | 4 …  load option: 0 attributes | 4 length of the path list | 6 description, UTF-16, NUL | path | data
import { type DevicePathNode, decodeDevicePath, encodeDevicePath } from "./efi-device-path.ts";

/** The namespace of Boot####, BootOrder and BootNext. */
export const EFI_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/** Non-volatile, at boot, at run time: what Boot#### and BootOrder must have. */
export const BOOT_ATTRIBUTES = 7;
const ATTRIBUTE_BYTES = 4;
/** Bits of `attributes`: the firmware tries only active entries, and shows no hidden one. */
export const LOAD_OPTION = { active: 1, hidden: 8 } as const;

export type LoadOption = {
  attributes: number;
  description: string;
  path: DevicePathNode[];
  /** What some firmware hides behind the path; kept as it is. */
  data: Uint8Array;
};

export type LoadOptionReading =
  | { kind: "option"; option: LoadOption }
  | { kind: "damaged"; at: number; reason: string };

/** `Boot0003-8be4df61-…`: the file's name in efivarfs. */
export const bootVariable = (number: number): string =>
  `Boot${number.toString(16).toUpperCase().padStart(4, "0")}-${EFI_GLOBAL}`;
export const BOOT_ORDER = `BootOrder-${EFI_GLOBAL}`;

/** The number of a Boot#### file; undefined for every other name. Some firmware writes lower-case digits. */
export function parseBootVariable(name: string): number | undefined {
  const match = /^Boot([0-9A-Fa-f]{4})-(.*)$/.exec(name);
  return match !== null && match[2] === EFI_GLOBAL ? Number.parseInt(match[1]!, 16) : undefined;
}

/** The whole file for efivarfs: it must be written with one write(2). */
export function encodeLoadOption({ attributes, description, path, data }: LoadOption): Buffer {
  const paths = encodeDevicePath(path);
  const head = Buffer.alloc(ATTRIBUTE_BYTES + 6);
  head.writeUInt32LE(BOOT_ATTRIBUTES, 0);
  head.writeUInt32LE(attributes, ATTRIBUTE_BYTES);
  head.writeUInt16LE(paths.length, ATTRIBUTE_BYTES + 4);
  return Buffer.concat([head, Buffer.from(`${description}\0`, "utf16le"), paths, data]);
}

/** Reads an efivarfs file. Places are bytes of the file. */
export function decodeLoadOption(file: Uint8Array): LoadOptionReading {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < ATTRIBUTE_BYTES + 6) {
    return { kind: "damaged", at: bytes.length, reason: `${bytes.length} bytes; a load option has 10 or more` };
  }
  const pathBytes = bytes.readUInt16LE(ATTRIBUTE_BYTES + 4);
  const start = ATTRIBUTE_BYTES + 6;
  let end = start;
  while (end + 1 < bytes.length && bytes.readUInt16LE(end) !== 0) end += 2;
  const pathAt = end + 2;
  if (pathAt + pathBytes > bytes.length) {
    const left = Math.max(0, bytes.length - pathAt);
    return { kind: "damaged", at: pathAt, reason: `device path of ${pathBytes} bytes, ${left} are left` };
  }
  const path = decodeDevicePath(bytes.subarray(pathAt, pathAt + pathBytes));
  if (path.kind === "damaged") return { kind: "damaged", at: pathAt + path.at, reason: path.reason };
  const option: LoadOption = {
    attributes: bytes.readUInt32LE(ATTRIBUTE_BYTES),
    description: bytes.toString("utf16le", start, end),
    path: path.nodes,
    data: new Uint8Array(bytes.subarray(pathAt + pathBytes)),
  };
  return { kind: "option", option };
}

export function encodeBootOrder(numbers: readonly number[]): Buffer {
  const file = Buffer.alloc(ATTRIBUTE_BYTES + numbers.length * 2);
  file.writeUInt32LE(BOOT_ATTRIBUTES, 0);
  for (const [index, number] of numbers.entries()) file.writeUInt16LE(number, ATTRIBUTE_BYTES + index * 2);
  return file;
}

/** An absent or odd file is an empty order; half a number at the end is left out. */
export function decodeBootOrder(file: Uint8Array | undefined): number[] {
  if (file === undefined) return [];
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const numbers: number[] = [];
  for (let at = ATTRIBUTE_BYTES; at + 1 < bytes.length; at += 2) numbers.push(bytes.readUInt16LE(at));
  return numbers;
}
