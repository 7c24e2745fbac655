// What a relay agent tells in option 82: sub-options that change the answer. All of it is echoed as it came. Pure.
import type { Ipv4 } from "../../inventory/address.ts";
import { ByteReader } from "../byte-reader.ts";
import { formatIpv4 } from "./option-codecs.ts";
import type { OptionPieces } from "./options.ts";
import { type DhcpPacket, NO_IP } from "./packet.ts";

/** Sub-options of option 82 that count here. */
const LINK_SELECTION = 5;
const SERVER_ID_OVERRIDE = 11;

/** Whether the request came through a relay. Option 82 without a relay's address is nothing (RFC 3046 §2.1). */
export const isRelayed = (request: DhcpPacket): boolean => request.relayIp !== NO_IP;

/** The client's own subnet when it is not the relay's (RFC 3527). */
export const linkSelection = (request: DhcpPacket): Ipv4 | undefined => addressOf(request, LINK_SELECTION);

/** The server identifier that the client shall see, so that it renews through the relay (RFC 5107). */
export const serverIdOverride = (request: DhcpPacket): Ipv4 | undefined => addressOf(request, SERVER_ID_OVERRIDE);

function addressOf(request: DhcpPacket, code: number): Ipv4 | undefined {
  const info = request.options.relayInfo;
  if (info === undefined || !isRelayed(request)) return undefined;
  const bytes = collectSubOptions(info).get(code)?.[0];
  const ip = bytes?.length === 4 ? formatIpv4(bytes) : undefined;
  return ip === NO_IP ? undefined : ip;
}

/**
 * Splits code-length-value bytes as options 43, 82 and 175 hold them. Unlike options they have no PAD; a length past the
 * end ends the reading.
 *
 * @param end code that ends the list (255 in option 43), or undefined.
 */
export function collectSubOptions(bytes: Uint8Array, end?: number): OptionPieces {
  const found: OptionPieces = new Map();
  const reader = new ByteReader(bytes);
  while (reader.left >= 1) {
    const code = reader.uint8("sub-option code");
    if (code === end || reader.left === 0) break;
    const length = reader.uint8(`length of sub-option ${code}`);
    if (length > reader.left) break;
    const piece = reader.bytes(length, `sub-option ${code}`);
    found.set(code, [...(found.get(code) ?? []), piece]);
  }
  return found;
}
