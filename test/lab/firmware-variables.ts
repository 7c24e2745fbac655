// The variables of a lab machine's UEFI firmware, read and changed in the file that keeps them while the machine is off: how
// a test puts the network first, as a person does in the firmware's menu. Only data of the same length is changed in place:
// a BootOrder in another order. Source: EDK II MdeModulePkg/Include/Guid/VariableFormat.h (AUTHENTICATED_VARIABLE_HEADER);
// UEFI 2.10 §3.1.3 (load options). Pure.

const START_ID = 0x55aa;
/** Written and not deleted. */
const ADDED = 0x3f;
const HEADER_BYTES = 60;
const GLOBAL_GUID = "61dfe48bca93d211aa0d00e098032b8c"; // EFI_GLOBAL_VARIABLE as it stands in memory

export type FirmwareVariable = { name: string; dataAt: number; data: Buffer };

/** All global variables that are in force, by name. */
export function readVariables(flash: Buffer): Map<string, FirmwareVariable> {
  const found = new Map<string, FirmwareVariable>();
  for (
    let at = flash.indexOf(Buffer.from([0xaa, 0x55]));
    at >= 0;
    at = flash.indexOf(Buffer.from([0xaa, 0x55]), at + 2)
  ) {
    const variable = readVariable(flash, at);
    if (variable !== undefined) found.set(variable.name, variable);
  }
  return found;
}

function readVariable(flash: Buffer, at: number): FirmwareVariable | undefined {
  if (at + HEADER_BYTES > flash.length || flash.readUInt16LE(at) !== START_ID || flash[at + 2] !== ADDED)
    return undefined;
  if (flash.toString("hex", at + 44, at + HEADER_BYTES) !== GLOBAL_GUID) return undefined;
  const [nameBytes, dataBytes] = [flash.readUInt32LE(at + 36), flash.readUInt32LE(at + 40)];
  const dataAt = at + HEADER_BYTES + nameBytes;
  if (nameBytes > 512 || dataAt + dataBytes > flash.length) return undefined;
  const name = flash.toString("utf16le", at + HEADER_BYTES, dataAt).replace(/\0+$/, "");
  return { name, dataAt, data: flash.subarray(dataAt, dataAt + dataBytes) };
}

export type BootEntry = { number: number; name: string; description: string };

const entryName = (number: number) => `Boot${number.toString(16).toUpperCase().padStart(4, "0")}`;

/** The boot entries in the order in which the firmware tries them. */
export function readBootOrder(flash: Buffer): BootEntry[] {
  const variables = readVariables(flash);
  const order = variables.get("BootOrder")?.data ?? Buffer.alloc(0);
  return Array.from({ length: order.length / 2 }, (_, i) => order.readUInt16LE(2 * i)).map((number) => {
    const name = entryName(number);
    const option = variables.get(name)?.data;
    // Attributes (4), length of the device path (2), then the description up to its NUL.
    const text = option?.toString("utf16le", 6) ?? "";
    return { number, name, description: text.slice(0, Math.max(0, text.indexOf("\0"))) };
  });
}

/** The same file with those entries first that `isFirst`, each group in its own order. */
export function putFirst(flash: Buffer, isFirst: (entry: BootEntry) => boolean): Buffer {
  const entries = readBootOrder(flash);
  const sorted = [...entries.filter(isFirst), ...entries.filter((entry) => !isFirst(entry))];
  const changed = Buffer.from(flash);
  const at = readVariables(flash).get("BootOrder")?.dataAt;
  sorted.forEach(({ number }, i) => {
    if (at !== undefined) changed.writeUInt16LE(number, at + 2 * i);
  });
  return changed;
}

/** OVMF's and AAVMF's own names of their network entries. */
export const isNetworkEntry = ({ description }: BootEntry): boolean => /\b(PXE|HTTP)v?[46]/i.test(description);
