// The options that Slipway reads or writes, one row each; all others are kept as bytes in `others` and survive decode →
// encode. The rows' order is their order on the wire (pxe.md 1.7). packet.ts calls both codecs. Pure.
//
//   +------+-----+-----------+      0 = PAD, one byte alone, anywhere; 255 = END
//   | code | len | len bytes |      RFC 2132 §2; RFC 3396: several instances are one value
//   +------+-----+-----------+
import type { ByteReader } from "../byte-reader.ts";
import {
  type Codec,
  codeList,
  concatBytes,
  doesNotFit,
  domainList,
  ipv4,
  ipv4List,
  raw,
  routes,
  text,
  textWithNul,
  uint8,
  uint16,
  uint16List,
  uint32,
} from "./option-codecs.ts";

/** All known options. A new one is one row: its type, parser and printer follow. Wire order: see {@link TAIL}. */
export const OPTIONS = {
  // Old clients and ROMs want 53 and 54 first (pxe.md 1.7).
  messageType: { code: 53, codec: uint8, source: "RFC 2132 §9.6" },
  serverId: { code: 54, codec: ipv4, source: "RFC 2132 §9.7" },
  leaseSeconds: { code: 51, codec: uint32, source: "RFC 2132 §9.2" },
  renewalSeconds: { code: 58, codec: uint32, source: "RFC 2132 §9.11" },
  rebindingSeconds: { code: 59, codec: uint32, source: "RFC 2132 §9.12" },
  subnetMask: { code: 1, codec: ipv4, source: "RFC 2132 §3.3" },
  broadcastIp: { code: 28, codec: ipv4, source: "RFC 2132 §5.3" },
  routers: { code: 3, codec: ipv4List, source: "RFC 2132 §3.5" },
  dnsServers: { code: 6, codec: ipv4List, source: "RFC 2132 §3.8" },
  hostname: { code: 12, codec: text, source: "RFC 2132 §3.14" },
  domain: { code: 15, codec: text, source: "RFC 2132 §3.17" },
  interfaceMtu: { code: 26, codec: uint16, source: "RFC 2132 §5.1" },
  ntpServers: { code: 42, codec: ipv4List, source: "RFC 2132 §8.3" },
  requestedIp: { code: 50, codec: ipv4, source: "RFC 2132 §9.1" },
  overload: { code: 52, codec: uint8, source: "RFC 2132 §9.3; never sent" },
  requestedCodes: { code: 55, codec: codeList, source: "RFC 2132 §9.8" },
  message: { code: 56, codec: text, source: "RFC 2132 §9.9" },
  maxMessageBytes: { code: 57, codec: uint16, source: "RFC 2132 §9.10" },
  clientId: { code: 61, codec: raw, source: "RFC 2132 §9.14; RFC 6842" },
  userClass: { code: 77, codec: raw, source: "RFC 3004; iPXE sends bare text" },
  clientFqdn: { code: 81, codec: raw, source: "RFC 4702; Windows sends ASCII" },
  clientArch: { code: 93, codec: uint16List, source: "RFC 4578 §2.1" },
  clientInterface: { code: 94, codec: raw, source: "RFC 4578 §2.2" },
  domainSearch: { code: 119, codec: domainList, source: "RFC 3397" },
  routes: { code: 121, codec: routes, source: "RFC 3442" },
  ipxe: { code: 175, codec: raw, source: "iPXE's encapsulated options" },
  microsoftRoutes: { code: 249, codec: routes, source: "MS-DHCPE 2.2.9: RFC 3442 under Windows's own code" },
  vendorClass: { code: 60, codec: text, source: "RFC 2132 §9.13" },
  clientUuid: { code: 97, codec: raw, source: "RFC 4578 §2.3" },
  vendorOptions: { code: 43, codec: raw, source: "RFC 2132 §8.4; PXE 2.1 table 2-1" },
  tftpServerName: { code: 66, codec: textWithNul, source: "RFC 2132 §9.4" },
  bootFileName: { code: 67, codec: textWithNul, source: "RFC 2132 §9.5" },
  relayInfo: { code: 82, codec: raw, source: "RFC 3046 §2" },
  // biome-ignore lint/suspicious/noExplicitAny: each row's codec has its own value type; DhcpOptions derives it.
} as const satisfies Record<string, { code: number; codec: Codec<any>; source: string }>;

export type OptionName = keyof typeof OPTIONS;
type Value<C> = C extends Codec<infer T> ? T : never;
/** Decoded options. `others`: unknown codes, and known ones whose bytes are no such value. */
export type DhcpOptions = { [N in OptionName]?: Value<(typeof OPTIONS)[N]["codec"]> } & {
  others?: ReadonlyMap<number, Uint8Array>;
};

const PAD = 0;
const END = 255;
const ROW_OF_CODE: ReadonlyMap<number, OptionName> = new Map(
  Object.entries(OPTIONS).map(([name, row]) => [row.code, name as OptionName]),
);

/** Codes at the front and at the back of every message; what is between follows the client's option 55. */
const HEAD: readonly number[] = [53, 54, 51, 58, 59, 1, 28, 3, 6, 12, 15];
const TAIL: readonly number[] = [60, 97, 43, 66, 67, 82];

/** Bytes of each option as they arrived, instances in order of appearance. */
export type OptionPieces = Map<number, Uint8Array[]>;

/**
 * Collects option instances until END or the end of the bytes.
 *
 * @param reader stands behind the cookie, or at the start of an overloaded field. A length past the end ends the
 *   reading: what came before is kept, because real stacks of 1996 are that way (pxe.md 1.7).
 */
export function collectOptions(reader: ByteReader, pieces: OptionPieces): void {
  while (reader.left > 0) {
    const code = reader.uint8("option code");
    if (code === PAD) continue;
    if (code === END || reader.left === 0) return;
    const length = reader.uint8(`length of option ${code}`);
    if (length > reader.left) return;
    const piece = reader.bytes(length, `option ${code}`);
    const before = pieces.get(code);
    if (before === undefined) pieces.set(code, [piece]);
    else before.push(piece);
  }
}

/** Pieces → values. Repeated options are one value when their length varies (RFC 3396), else the first one counts. */
export function decodeOptions(pieces: OptionPieces): DhcpOptions {
  const options: Record<string, unknown> = {};
  const others = new Map<number, Uint8Array>();
  for (const [code, instances] of pieces) {
    const name = ROW_OF_CODE.get(code);
    const codec: Codec<unknown> | undefined = name && OPTIONS[name].codec;
    const isOne = instances.length === 1 || codec?.fixedBytes !== undefined;
    const bytes = isOne ? instances[0]! : concatBytes(instances);
    const value = codec?.decode(bytes);
    if (name === undefined || value === undefined) others.set(code, bytes);
    else options[name] = value;
  }
  return (others.size > 0 ? { ...options, others } : options) as DhcpOptions;
}

/**
 * Values → bytes with END, in the order of pxe.md 1.7, without PAD.
 *
 * @param order the codes of the client's option 55: they order what is neither head nor tail.
 * @param mayBeEmpty clients send empty options (80); EDK2 drops a reply that holds one.
 * @throws DOES_NOT_FIT for a value over 255 bytes (it is never split: iPXE, EDK2 and the Pi read only the first
 *   instance), or an empty one in a reply.
 */
export function encodeOptions(options: DhcpOptions, order: readonly number[] = [], mayBeEmpty = false): Uint8Array {
  const parts = new Map<number, Uint8Array>(options.others);
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const value = options[name];
    if (value !== undefined) parts.set(OPTIONS[name].code, (OPTIONS[name].codec as Codec<unknown>).encode(value));
  }
  const wire: Uint8Array[] = [];
  for (const code of wireOrder(parts.keys(), order)) {
    const bytes = parts.get(code)!;
    if (bytes.length > 255) throw doesNotFit(`option ${code} is ${bytes.length} bytes long, at most 255 fit`);
    if (bytes.length === 0 && !mayBeEmpty) throw doesNotFit(`option ${code} is empty, which EDK2 takes for damage`);
    wire.push(Uint8Array.of(code, bytes.length), bytes);
  }
  wire.push(Uint8Array.of(END));
  return concatBytes(wire);
}

const ROW_RANK = new Map(Object.values(OPTIONS).map((row, rank) => [row.code as number, rank]));

function wireOrder(codes: Iterable<number>, order: readonly number[]): number[] {
  const rank = (code: number): number => {
    const head = HEAD.indexOf(code);
    if (head >= 0) return head;
    const tail = TAIL.indexOf(code);
    if (tail >= 0) return 10_000 + tail;
    const asked = order.indexOf(code);
    return asked >= 0 ? 100 + asked : 1000 + (ROW_RANK.get(code) ?? 100 + code);
  };
  return [...codes]
    .map((code) => ({ code, at: rank(code) }))
    .sort((a, b) => a.at - b.at)
    .map(({ code }) => code);
}
