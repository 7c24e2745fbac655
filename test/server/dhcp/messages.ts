// Hand-made requests for the policy's tests: one base packet, one field changed at a time.
import type { DhcpOptions } from "../../../server/dhcp/options.ts";
import { type DhcpPacket, decodePacket, MESSAGE } from "../../../server/dhcp/packet.ts";
import type { Reply, Site } from "./site.ts";
import { replyOf } from "./site.ts";
import { vectorBytes } from "./vectors.ts";

const base = decodePacket(vectorBytes("grub-discover"));
export const MAC = "52:54:00:12:34:56";
export const OTHER = "52:54:00:12:34:57";

/** A message from {@link MAC}, or from another machine. */
export function message(
  type: keyof typeof MESSAGE,
  options: DhcpOptions = {},
  over: Partial<DhcpPacket> & { mac?: string } = {},
): DhcpPacket {
  const { mac = MAC, ...fields } = over;
  const hardwareAddress = new Uint8Array(16);
  hardwareAddress.set(mac.split(":").map((part) => Number.parseInt(part, 16)));
  return { ...base, hardwareAddress, ...fields, options: { messageType: MESSAGE[type], ...options } };
}

/** DISCOVER and REQUEST, as most clients do it: the machine has a lease afterwards. */
export function lease(site: Site, address: string, mac = MAC): Reply {
  replyOf(site.ask(message("discover", { requestedIp: address }, { mac })));
  return replyOf(site.ask(message("request", { requestedIp: address, serverId: site.serverIp }, { mac })));
}
