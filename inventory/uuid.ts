// SMBIOS UUIDs: one spelling, both byte orders, and the ones that makers forgot to set (pxe.md 1.11). Pure.

/** Lower-case with hyphens: `564d0b2e-3c1f-…`. */
export type Uuid = string;

/**
 * UUIDs that many boards share because nobody set them, without hyphens; the byte-swapped forms are found too.
 * The AMI and Insyde templates count up; the last is in vendors' documentation and on shipped boards.
 */
const TEMPLATES = [
  "00020003000400050006000700080009",
  "03000200040005000006000700080009",
  "0123456789abcdef0123456789abcdef",
  "12345678123456789012345678901234",
  "123456781234567890abcddeefaabbcc",
];

// Slices, not patterns: a DISCOVER looks at its UUID several times, and patterns were an eighth of a new lease's cost.
const hyphenate = (hex: string): Uuid =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
const pairAt = (text: string, at: number): string => text.slice(at, at + 2);
const swapBytes = (u: Uuid): Uuid =>
  `${pairAt(u, 6)}${pairAt(u, 4)}${pairAt(u, 2)}${pairAt(u, 0)}-${pairAt(u, 11)}${pairAt(u, 9)}-${pairAt(u, 16)}${pairAt(u, 14)}${u.slice(18)}`;
const JUNK: ReadonlySet<Uuid> = new Set(TEMPLATES.map(hyphenate).flatMap((uuid) => [uuid, swapBytes(uuid)]));
const INSIDE_FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * A new UUID that begins with the time (RFC 9562 §5.7). Those of one hour stand side by side in an index, so that a rack that
 * powers on dirties a few of its pages and not one per machine.
 *
 * @param atMs milliseconds since 1970.
 * @param random a random UUID (version 4), whose time bits are replaced.
 */
export function timeOrderedUuid(atMs: number, random: Uuid): Uuid {
  const time = Math.floor(atMs).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}

/** Reads 32 hex digits with or without hyphens or braces, any case; undefined when it is something else. */
export function parseUuid(text: string): Uuid | undefined {
  if (INSIDE_FORM.test(text)) return text;
  const hex = text.toLowerCase().replace(/[{}-]/g, "");
  return /^[0-9a-f]{32}$/.test(hex) ? hyphenate(hex) : undefined;
}

/**
 * The same UUID in the other byte order: the first three fields turned round. RFC 4578 and SMBIOS 2.6 send them
 * little-endian, iPXE prints them as EFI does, and so one board shows two UUIDs.
 */
export const swapUuid = swapBytes;

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
  return JUNK.has(uuid) || isOneByte(uuid) ? undefined : uuid;
}

const isOneByte = (uuid: Uuid): boolean => uuid === hyphenate(pairAt(uuid, 0).repeat(16));
