// Text of a setting → value. Each parser says what it expects, so that a fault can name it: "must be a port, found 0".
// settings.ts uses them in its tables. Pure.
import { type Cidr, type Ipv4, ipv4ToNumber, parseCidr, parseIpv4 } from "../../inventory/address.ts";

/** `expected` completes "must be …". */
export type Parsed<T> = { kind: "value"; value: T } | { kind: "fault"; expected: string };
export type Parse<T> = (raw: unknown) => Parsed<T>;

/** First and last address, both inclusive. */
export type Pool = { first: Ipv4; last: Ipv4 };
/** UDP ports that TFTP answers from: a range, or only port 69. */
export type TftpPorts = { kind: "range"; first: number; last: number } | { kind: "single-port" };

const value = <T>(v: T): Parsed<T> => ({ kind: "value", value: v });
const fault = <T>(expected: string): Parsed<T> => ({ kind: "fault", expected });

/** One of a few words. */
export const oneOf =
  <const W extends readonly string[]>(...words: W): Parse<W[number]> =>
  (raw) =>
    words.includes(raw as string) ? value(raw as W[number]) : fault(`one of ${words.join(", ")}`);

/** `true` or `false`; YAML 1.2 knows no `yes` and `on`. */
export const flag: Parse<boolean> = (raw) => (typeof raw === "boolean" ? value(raw) : fault("true or false"));

/** A path: kept as written; the reader of the file makes it absolute. */
export const path: Parse<string> = (raw) =>
  typeof raw === "string" && raw.length > 0 && !raw.includes("\0") && !/^~[^/]/.test(raw)
    ? value(raw)
    : fault("a path (relative to this file, absolute, or beginning with ~/)");

/** A group's name as `getent group` lists it. */
export const groupName: Parse<string> = (raw) =>
  typeof raw === "string" && /^[a-z_][a-z0-9_-]{0,31}$/i.test(raw) ? value(raw) : fault("the name of a group");

export const port: Parse<number> = (raw) =>
  Number.isInteger(raw) && (raw as number) >= 1 && (raw as number) <= 65_535
    ? value(raw as number)
    : fault("a port from 1 to 65535");

/** `49152-65535` or `single-port`. */
export const tftpPorts: Parse<TftpPorts> = (raw) => {
  if (raw === "single-port") return value({ kind: "single-port" });
  const [, a, b] = /^(\d{1,5})-(\d{1,5})$/.exec(String(raw)) ?? [];
  const [first, last] = [Number(a), Number(b)];
  return first >= 1024 && last <= 65_535 && first <= last
    ? value({ kind: "range", first, last })
    : fault("a range of ports within 1024-65535 such as 49152-65535, or single-port");
};

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90d`, `1h`, `120s` → seconds. A bare number is refused: nobody knows its unit at 3 a.m. */
export const durationSeconds =
  (least: string, most: string): Parse<number> =>
  (raw) => {
    const seconds = secondsOf(raw);
    return seconds !== undefined && seconds >= secondsOf(least)! && seconds <= secondsOf(most)!
      ? value(seconds)
      : fault(`a duration from ${least} to ${most}, a whole number with s, m, h, d or w such as 1h`);
  };
/** The same in milliseconds. */
export const durationMs = (least: string, most: string): Parse<number> => {
  const parse = durationSeconds(least, most);
  return (raw) => {
    const parsed = parse(raw);
    return parsed.kind === "value" ? value(parsed.value * 1000) : parsed;
  };
};
const secondsOf = (raw: unknown): number | undefined => {
  const [, number, unit] = /^(\d{1,9})([smhdw])$/.exec(String(raw)) ?? [];
  return unit === undefined ? undefined : Number(number) * UNIT_SECONDS[unit]!;
};

const UNIT_BYTES: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `512MiB` → bytes. */
export const sizeBytes =
  (least: string, most: string): Parse<number> =>
  (raw) => {
    const bytes = bytesOf(raw);
    return bytes !== undefined && bytes >= bytesOf(least)! && bytes <= bytesOf(most)!
      ? value(bytes)
      : fault(`a size from ${least} to ${most}, a whole number with KiB, MiB, GiB or TiB such as 512MiB`);
  };
const bytesOf = (raw: unknown): number | undefined => {
  const [, number, unit] = /^(\d{1,9})(KiB|MiB|GiB|TiB)$/.exec(String(raw)) ?? [];
  return unit === undefined ? undefined : Number(number) * UNIT_BYTES[unit]!;
};

/** An address that one machine can have: no 0.x, loopback, multicast or broadcast. */
export const address: Parse<Ipv4> = (raw) => {
  const ip = typeof raw === "string" ? parseIpv4(raw) : undefined;
  return ip !== undefined && isHostAddress(ip) ? value(ip) : fault("an IPv4 address such as 192.0.2.1");
};
const isHostAddress = (ip: Ipv4): boolean => {
  const top = Math.floor(ipv4ToNumber(ip) / 2 ** 24);
  return top !== 0 && top !== 127 && top < 224;
};

/** `192.0.2.100-192.0.2.199`. */
export const pool: Parse<Pool> = (raw) => {
  const [a, b, ...rest] = String(raw).split("-");
  const first = address(a?.trim());
  const last = address(b?.trim());
  return rest.length === 0 &&
    first.kind === "value" &&
    last.kind === "value" &&
    ipv4ToNumber(first.value) <= ipv4ToNumber(last.value)
    ? value({ first: first.value, last: last.value })
    : fault("two IPv4 addresses, the lower first, such as 192.0.2.100-192.0.2.199");
};

/** `10.30.1.0/24`: host bits must be zero, because `10.30.1.7/24` is more often a slip than a wish. */
export const subnet: Parse<Cidr> = (raw) => {
  const network = typeof raw === "string" ? parseCidr(raw) : undefined;
  return network !== undefined && network.cidr === raw && network.prefix >= 8 && network.prefix <= 30
    ? value(network.cidr)
    : fault(
        `a network with its prefix length (8 to 30) such as 10.30.1.0/24${network && network.cidr !== raw ? ` (did you mean ${network.cidr}?)` : ""}`,
      );
};

/** A DNS domain without final dot. */
export const domain: Parse<string> = (raw) =>
  typeof raw === "string" &&
  raw.length <= 253 &&
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(raw)
    ? value(raw.toLowerCase())
    : fault("a domain such as rack1.example.org");
