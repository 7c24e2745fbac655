// Puts a reply together: header from the request, options within the client's size, bytes, destination. Called by the
// decide-*.ts files; what goes in is theirs. Pure.
import type { Detail, EventKind } from "../../inventory/event.ts";
import { clientMac } from "./client.ts";
import { replyDestination } from "./destination.ts";
import type { Decision, EventDraft, ReplyFacts } from "./facts.ts";
import type { DhcpOptions, OptionName } from "./options.ts";
import { BOOT_REPLY, type DhcpPacket, encodePacket, NO_IP } from "./packet.ts";
import { serverIdOverride } from "./relay.ts";
import { askedCodes, echoedOptions } from "./reply-options.ts";

type Effects = Pick<Decision, "changes" | "leases" | "events">;
type Extras = Partial<Omit<Extract<Decision, { kind: "reply" }>, "kind" | "packet" | "bytes" | "destination">>;

/** Headers of IP and UDP: option 57 counts the whole datagram (RFC 2132 §9.10). */
const IP_UDP_BYTES = 28;
/** EDK2 and iPXE drop longer replies, and kernels ignore fragments, whatever jumbo MTU there is (pxe.md 1.2). */
const MOST_BYTES = 1472;
const SMALLEST_DATAGRAM = 576;

/** What is left out first when a reply is too long (pxe.md 1.2). */
const DROP_ORDER: readonly (readonly OptionName[])[] = [
  ["domainSearch"],
  ["hostname"],
  ["domain"],
  ["ntpServers"],
  ["routes", "microsoftRoutes"],
  ["broadcastIp"],
];

/** The longest UDP payload that a client takes. EDK2's REQUEST says 65280. */
export function maxPayloadBytes(request: DhcpPacket, mtu: number): number {
  const datagram = Math.max(request.options.maxMessageBytes ?? SMALLEST_DATAGRAM, SMALLEST_DATAGRAM);
  return Math.min(datagram - IP_UDP_BYTES, mtu - IP_UDP_BYTES, MOST_BYTES);
}

/** Our name to the client: the relay's choice when it makes one (RFC 5107). */
export const serverIdFor = (request: DhcpPacket, facts: ReplyFacts) => serverIdOverride(request) ?? facts.serverIp;

/**
 * Makes a reply.
 *
 * @param fields header fields other than zero or the request's.
 * @param options all but 54 and the echoes.
 * @returns `ignore` when there is no way back, or no way to make it fit.
 */
export function makeReply(
  request: DhcpPacket,
  facts: ReplyFacts,
  fields: Partial<DhcpPacket>,
  options: DhcpOptions,
  extras: Extras = {},
): Decision {
  const effects = { changes: [], leases: [], events: [], ...extras };
  const all: DhcpOptions = { ...options, serverId: serverIdFor(request, facts), ...echoedOptions(request) };
  const packet: DhcpPacket = {
    op: BOOT_REPLY,
    hardwareType: request.hardwareType,
    hardwareLength: request.hardwareLength,
    hops: 0,
    xid: request.xid,
    secs: 0,
    flags: request.flags,
    clientIp: NO_IP,
    yourIp: NO_IP,
    nextServerIp: NO_IP,
    relayIp: request.relayIp,
    hardwareAddress: request.hardwareAddress,
    serverName: "",
    bootFile: "",
    ...fields,
    options: all,
  };
  const destination = replyDestination(request, packet, facts);
  if (destination === undefined) return ignore("it has no address to which an answer could go");
  const fitted = fitReply(packet, maxPayloadBytes(request, facts.mtu), askedCodes(request));
  if (fitted === undefined) return ignore("what it sent to be echoed leaves no room in the longest reply it takes");
  return { kind: "reply", ...fitted, destination, ...effects };
}

/** Drops options in order until the bytes fit. */
function fitReply(
  packet: DhcpPacket,
  maxBytes: number,
  order: readonly number[],
): { packet: DhcpPacket; bytes: Uint8Array } | undefined {
  let fitted = packet;
  let bytes = encodePacket(fitted, order);
  for (const names of DROP_ORDER) {
    if (bytes.length <= maxBytes) break;
    fitted = { ...fitted, options: without(fitted.options, names) };
    bytes = encodePacket(fitted, order);
  }
  return bytes.length <= maxBytes ? { packet: fitted, bytes } : undefined;
}

function without(options: DhcpOptions, names: readonly OptionName[]): DhcpOptions {
  const rest = { ...options };
  for (const name of names) delete rest[name];
  return rest;
}

/** No answer, with the reason that people see. */
export const ignore = (reason: string, effects: Partial<Effects> = {}): Decision => ({
  kind: "ignore",
  reason,
  changes: [],
  leases: [],
  events: [],
  ...effects,
});

/** An event of the machine that sent the request. */
export function eventOf(request: DhcpPacket, kind: EventKind, detail: Detail = {}): EventDraft {
  const mac = clientMac(request);
  return { kind, detail, ...(mac !== undefined && { mac }) };
}
