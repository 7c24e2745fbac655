// The recorded packets of test/vectors/pxe-vectors.jsonl as bytes. Rows without `hex` have only the fields that somebody
// published: they are built from those, and from nothing else but the zeros around them.
import { readFileSync } from "node:fs";

export type Vector = {
  name: string;
  kind: string;
  transport?: { src: string; dst: string };
  hex?: string;
  fields?: Record<string, unknown>;
  decoded?: Record<string, unknown>;
  expected_behaviour: string;
};

export const VECTORS: readonly Vector[] = readFileSync("test/vectors/pxe-vectors.jsonl", "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Vector);
export const DHCP_VECTORS = VECTORS.filter(({ kind }) => /^(dhcp|pxe)-/.test(kind));

export function vector(name: string): Vector {
  const found = VECTORS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no vector ${name}`);
  return found;
}

/** UDP payload of a DHCP vector. */
export function vectorBytes(name: string, extra: Record<string, unknown> = {}): Uint8Array {
  const { hex, fields, kind } = vector(name);
  if (hex) return fromHex(hex);
  return buildFromFields({ ...fields, ...extra }, kind);
}

export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ""), "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const TYPE_OF_KIND: Record<string, number> = {
  "dhcp-discover": 1,
  "dhcp-request-selecting": 3,
  "pxe-4011-request": 3,
  "dhcp-reply": 2,
};
const ipBytes = (ip: string) => ip.split(".").map(Number);

/** Value of `optNN` in a fields row → option bytes. */
function optionBytes(code: number, value: unknown): number[] {
  if (code === 57) return [(value as number) >> 8, (value as number) & 255];
  if (typeof value === "number") return [value];
  if (Array.isArray(value)) return value as number[];
  const text = String(value);
  if (code === 50 || code === 54) return ipBytes(text);
  if (code === 60 || code === 77) return [...Buffer.from(text, "latin1")];
  return [...fromHex(text)];
}

function buildFromFields(fields: Record<string, unknown>, kind: string): Uint8Array {
  const options = new Map<number, number[]>([[53, [TYPE_OF_KIND[kind]!]]]);
  for (const [key, value] of Object.entries(fields)) {
    const match = /^opt(\d+)(_first|_prefix)?$/.exec(key);
    if (!match) continue;
    const code = Number(match[1]);
    const bytes = optionBytes(code, value);
    // Only the first bytes of option 97 were published; the rest of its 17 is zero.
    options.set(code, match[2] === "_prefix" ? [...bytes, ...new Array(17 - bytes.length).fill(0)] : bytes);
  }
  const order = (fields.order as number[] | undefined)?.filter((code) => code !== 255) ?? [...options.keys()];
  const text = (key: string, otherwise: string) => String(fields[key] ?? otherwise);
  const header = [
    ...[kind === "dhcp-reply" ? 2 : 1, 1, 6, 0],
    ...fromHex(text("xid", "00000001")),
    ...[Number(fields.secs ?? 0) >> 8, Number(fields.secs ?? 0) & 255],
    ...fromHex(text("flags", "0000")),
    ...ipBytes(text("ciaddr", "0.0.0.0")),
    ...new Array(12).fill(0),
    ...fromHex(text("chaddr", "525400123456").replaceAll(":", "")),
    ...new Array(10 + 64 + 128).fill(0),
  ];
  const tail = fields.options_hex
    ? [...fromHex(String(fields.options_hex))]
    : [
        0x63,
        0x82,
        0x53,
        0x63,
        ...order.flatMap((code) => [code, options.get(code)!.length, ...options.get(code)!]),
        255,
      ];
  const bytes = [...header, ...tail];
  const length = Math.max(Number(fields.payload_len ?? 0), bytes.length);
  return Uint8Array.from({ length }, (_, i) => bytes[i] ?? 0);
}
