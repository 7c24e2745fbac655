// GUIDs as EFI stores them: 16 bytes, the first three groups little-endian, the rest as written. Called by gpt.ts,
// layout.ts and the EFI boot entries. One spelling inside: lower case with hyphens. Pure. Source: UEFI 2.10 appendix A.
import { SlipwayError } from "../../server/contract/errors.ts";

export const GUID_BYTES = 16;
export const NIL_GUID = "00000000-0000-0000-0000-000000000000";

/** Places of the text's 16 bytes in the stored form. */
const STORED = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const isGuid = (text: string): boolean => TEXT.test(text);

/**
 * The 16 stored bytes of a GUID.
 * @throws SlipwayError INTERNAL when the text is no lower-case GUID with hyphens.
 */
export function encodeGuid(text: string): Buffer {
  if (!isGuid(text)) {
    throw new SlipwayError("INTERNAL", `"${text}" is no GUID; 8-4-4-4-12 lower-case hex digits are expected`);
  }
  const plain = Buffer.from(text.replaceAll("-", ""), "hex");
  return Buffer.from(STORED.map((place) => plain[place]!));
}

/**
 * The GUID that stands at `at`.
 * @param bytes at least `at` + 16 long; the caller has checked it.
 */
export function decodeGuid(bytes: Uint8Array, at = 0): string {
  const hex = Buffer.from(STORED.map((place) => bytes[at + place]!)).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
