// SMBIOS UUIDs: one spelling, both byte orders, and the ones that makers forgot to set (pxe.md 1.11). Pure.

/** Lower-case with hyphens: `564d0b2e-3c1f-…`. */
export type Uuid = string;

/**
 * UUIDs that many boards share because nobody set them, without hyphens; the byte-swapped forms are found too.
 * The AMI and Insyde templates count up; the last is in vendors' documentation and on shipped boards.
 */
const JUNK = new Set([
  "00020003000400050006000700080009",
  "03000200040005000006000700080009",
  "0123456789abcdef0123456789abcdef",
  "12345678123456789012345678901234",
  "123456781234567890abcddeefaabbcc",
]);

const hyphenate = (hex: string): Uuid => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
const bare = (uuid: Uuid): string => uuid.replaceAll("-", "");
const swapBytes = (hex: string): string => hex.match(/../g)!.reverse().join("");

/**
 * A new UUID that begins with the time (RFC 9562 §5.7). Those of one hour stand side by side in an index, so that a rack that
 * powers on dirties a few of its pages and not one per machine.
 *
 * @param atMs milliseconds since 1970.
 * @param random ten bytes.
 */
export function timeOrderedUuid(atMs: number, random: Uint8Array): Uuid {
  const bytes = Array.from(random);
  bytes[0] = 0x70 | (bytes[0]! & 0x0f);
  bytes[2] = 0x80 | (bytes[2]! & 0x3f);
  const tail = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hyphenate(Math.floor(atMs).toString(16).padStart(12, "0") + tail);
}

/** Reads 32 hex digits with or without hyphens or braces, any case; undefined when it is something else. */
export function parseUuid(text: string): Uuid | undefined {
  const hex = text.toLowerCase().replace(/[{}-]/g, "");
  return /^[0-9a-f]{32}$/.test(hex) ? hyphenate(hex) : undefined;
}

/**
 * The same UUID in the other byte order: the first three fields turned round. RFC 4578 and SMBIOS 2.6 send them
 * little-endian, iPXE prints them as EFI does, and so one board shows two UUIDs.
 */
export function swapUuid(uuid: Uuid): Uuid {
  const hex = bare(uuid);
  return hyphenate(
    swapBytes(hex.slice(0, 8)) + swapBytes(hex.slice(8, 12)) + swapBytes(hex.slice(12, 16)) + hex.slice(16),
  );
}

/** Whether two UUIDs name the same board, in whichever byte order each was sent. */
export function isSameUuid(a: Uuid, b: Uuid): boolean {
  return a === b || a === swapUuid(b);
}

/**
 * Reads a UUID that can serve as an identity.
 * @returns the inside form, or undefined for text that is no UUID and for UUIDs that boards share: one byte repeated
 *   (all 00, all ff) and makers' templates, in either byte order.
 */
export function trustworthyUuid(text: string | undefined): Uuid | undefined {
  const uuid = text === undefined ? undefined : parseUuid(text);
  if (uuid === undefined) return undefined;
  const hex = bare(uuid);
  const isOneByte = hex === hex.slice(0, 2).repeat(16);
  return isOneByte || JUNK.has(hex) || JUNK.has(bare(swapUuid(uuid))) ? undefined : uuid;
}
