// MAC and IPv4 addresses as Slipway writes them inside: MAC lower-case with colons, IPv4 dotted.
// Text from outside is brought into that form here and nowhere else. Pure.

/** Six bytes, lower-case hex, colons: `52:54:00:12:34:56`. */
export type Mac = string;
/** Dotted quad without leading zeros: `192.0.2.1`. */
export type Ipv4 = string;
/** A network with its prefix length: `192.0.2.0/24`, host bits zero. */
export type Cidr = string;

/**
 * Reads a MAC in any usual spelling (colons, hyphens, Cisco dots, bare hex; any case).
 * @returns the inside form, or undefined when the text is no unicast MAC of six bytes.
 */
export function parseMac(text: string): Mac | undefined {
  if (!/^([0-9a-f]{2}[:-]?){5}[0-9a-f]{2}$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/i.test(text)) return undefined;
  const hex = text.toLowerCase().replace(/[^0-9a-f]/g, "");
  if (hex === "000000000000" || (Number.parseInt(hex.slice(0, 2), 16) & 1) === 1) return undefined;
  return hex.match(/../g)!.join(":");
}

/** Six bytes → MAC text; no check for multicast, because packets carry what they carry. */
export function formatMac(bytes: Uint8Array): Mac {
  return Array.from(bytes.subarray(0, 6), (b) => b.toString(16).padStart(2, "0")).join(":");
}

/** Reads a strict dotted quad; leading zeros and short forms are refused (they mean octal to some programs). */
export function parseIpv4(text: string): Ipv4 | undefined {
  const parts = text.split(".");
  const ok = parts.length === 4 && parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) <= 255);
  return ok ? text : undefined;
}

/** Dotted quad → unsigned 32-bit number. The text must come from {@link parseIpv4}. */
export function ipv4ToNumber(ip: Ipv4): number {
  // By hand: DHCP does it a dozen times per packet.
  let [number, part] = [0, 0];
  for (let i = 0; i < ip.length; i++) {
    const digit = ip.charCodeAt(i) - 48;
    if (digit >= 0) part = part * 10 + digit;
    else {
      number = number * 256 + part;
      part = 0;
    }
  }
  return number * 256 + part;
}

/** Unsigned 32-bit number → dotted quad. */
export function numberToIpv4(value: number): Ipv4 {
  return `${(value >>> 24) & 255}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

export type Network = { cidr: Cidr; first: number; last: number; prefix: number; netmask: Ipv4; broadcast: Ipv4 };

/** Reads `192.0.2.17/24` (host bits are cleared) into its network; undefined when it is none. */
export function parseCidr(text: string): Network | undefined {
  const [ip, bits, ...rest] = text.split("/");
  if (ip === undefined || bits === undefined || rest.length > 0 || !/^\d{1,2}$/.test(bits)) return undefined;
  const prefix = Number(bits);
  if (parseIpv4(ip) === undefined || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const first = Math.floor(ipv4ToNumber(ip) / size) * size;
  const last = first + size - 1;
  return {
    cidr: `${numberToIpv4(first)}/${prefix}`,
    first,
    last,
    prefix,
    netmask: numberToIpv4(2 ** 32 - size),
    broadcast: numberToIpv4(last),
  };
}

/** Whether an address lies in a network, its network and broadcast address included. */
export function isInNetwork(ip: Ipv4, network: Network): boolean {
  const n = ipv4ToNumber(ip);
  return n >= network.first && n <= network.last;
}
