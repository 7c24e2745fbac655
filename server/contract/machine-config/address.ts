// IPv4 addresses and networks of a machine config, as numbers where they are compared. values.ts and kubernetes/ use it.
// This room imports nobody outside server/contract, so it has its own few lines. Pure.

/** Dotted quad without leading zeros → unsigned 32-bit number; undefined when it is none. */
export function ipv4Number(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) <= 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Unsigned 32-bit number → dotted quad. */
export const ipv4Text = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");

/** `first` and `last` include the network's and the broadcast address. `host` is the address as written. */
export type Ipv4Prefix = { first: number; last: number; bits: number; host: number };

/** `10.1.2.3/24`, host bits allowed; undefined when it is none. */
export function ipv4Prefix(text: string): Ipv4Prefix | undefined {
  const [ip, bits, ...rest] = text.split("/");
  const host = ip === undefined ? undefined : ipv4Number(ip);
  if (host === undefined || bits === undefined || rest.length > 0 || !/^(0|[1-9]\d?)$/.test(bits)) return undefined;
  if (Number(bits) > 32) return undefined;
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(host / size) * size;
  return { first, last: first + size - 1, bits: Number(bits), host };
}

/** Whether two networks share an address. Texts that are no network share none. */
export function prefixesOverlap(a: string, b: string): boolean {
  const [x, y] = [ipv4Prefix(a), ipv4Prefix(b)];
  return x !== undefined && y !== undefined && x.first <= y.last && y.first <= x.last;
}

/** The `n`-th address of a network: 10.96.0.0/12 and 1 → 10.96.0.1. */
export function addressAt(network: string, n: number): string {
  return ipv4Text((ipv4Prefix(network)?.first ?? 0) + n);
}
