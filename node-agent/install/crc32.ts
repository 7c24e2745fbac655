// CRC-32 as GPT, the install marker and gzip use it: polynomial 0xedb88320, reflected, all ones in and out.
// Called by gpt.ts, marker.ts and signatures.ts. Pure. Source: UEFI 2.10 §4.2 (the same as ISO 3309).

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** Checksum of the bytes, 0 to 2^32 − 1. */
export function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
