// A small site for the DHCP tests: one subnet, a lease book, a clock that stands still until it is moved, and no sockets. What
// is decided is applied and counts as saved, as service.ts does it.
import { parseCidr } from "../../../inventory/address.ts";
import type { Machine } from "../../../inventory/machine.ts";
import { decideBoot, type Strangers } from "../../../server/boot/decide.ts";
import { chooseBootFile } from "../../../server/boot/loader.ts";
import { clientKey, clientMac, identifyClient } from "../../../server/dhcp/client.ts";
import type { Decision, ReplyFacts } from "../../../server/dhcp/facts.ts";
import { LeaseBook } from "../../../server/dhcp/leases.ts";
import { type DhcpPacket, decodePacket } from "../../../server/dhcp/packet.ts";
import { decideReply } from "../../../server/dhcp/reply.ts";
import { chooseSubnet, type ServedSubnet } from "../../../server/dhcp/subnet.ts";

export type Reply = Extract<Decision, { kind: "reply" }>;
export type Ignored = Extract<Decision, { kind: "ignore" }>;
export const NOW = 1_800_000_000;

/** `192.0.2` → the scenario of pxe.md 0.1 in that network: server .1, pool .100–.199. */
export function subnetAt(three: string, over: Partial<ServedSubnet> = {}): ServedSubnet {
  return {
    network: parseCidr(`${three}.0/24`)!,
    ranges: [{ first: `${three}.100`, last: `${three}.199` }],
    exclude: [],
    gateway: `${three}.254`,
    dns: [`${three}.53`],
    ntp: [],
    leaseSeconds: 3600,
    isRelayed: false,
    ...over,
  };
}

export const machineWith = (over: Partial<Machine>): Machine => ({
  id: "m1",
  macs: ["52:54:00:12:34:56"],
  lifecycle: "approved",
  activity: "off",
  createdAt: "2026-11-01T00:00:00Z",
  seenAt: "2026-11-01T00:00:00Z",
  ...over,
});

export class Site {
  readonly book = new LeaseBook();
  readonly subnets: ServedSubnet[];
  readonly three: string;
  now = NOW;
  /** What every later {@link ask} assumes. */
  facts: Partial<ReplyFacts> = {};
  strangers: Strangers = "boot";

  constructor(three = "192.0.2", over: Partial<ServedSubnet> = {}, more: ServedSubnet[] = []) {
    this.three = three;
    this.subnets = [subnetAt(three, over), ...more];
    for (const subnet of this.subnets) this.book.openPool(subnet, [this.serverIp]);
  }

  get serverIp(): string {
    return `${this.three}.1`;
  }

  get cidr(): string {
    return `${this.three}.0/24`;
  }

  /** Decides, applies and saves. */
  ask(request: Uint8Array | DhcpPacket, over: Partial<ReplyFacts> = {}): Decision {
    const packet = request instanceof Uint8Array ? decodePacket(request) : request;
    const decision = decideReply(packet, this.factsFor(packet, { ...this.facts, ...over }));
    this.book.apply(decision.changes);
    this.book.markDurable(decision.leases);
    return decision;
  }

  factsFor(packet: DhcpPacket, over: Partial<ReplyFacts>): ReplyFacts {
    const key = clientKey(packet);
    const now = over.now ?? this.now;
    const client = identifyClient(packet, key === undefined ? undefined : this.book.rememberedClient(key, now));
    const mac = clientMac(packet) ?? "02:00:00:00:00:00";
    const at = { ip: this.serverIp, httpPort: 8080 };
    const isUnicast = over.isUnicast ?? false;
    const subnet = chooseSubnet(packet, this.subnets, this.subnets[0]!.network, isUnicast);
    return {
      now,
      mode: "server",
      port: 67,
      source: { ip: packet.clientIp, port: 68 },
      isUnicast,
      serverIp: at.ip,
      ownIps: [at.ip],
      mtu: 1500,
      httpPort: at.httpPort,
      ...(subnet && { subnet }),
      client,
      boot: decideBoot(over.machine, this.strangers),
      bootFile: chooseBootFile(client, mac, at),
      authoritative: true,
      opensLeases: true,
      probe: false,
      book: this.book,
      loaderFetches: 0,
      loopPath: "boot/loop.ipxe",
      ...over,
    };
  }
}

/** The reply, or a failure that says why there is none. */
export function replyOf(decision: Decision): Reply {
  if (decision.kind === "reply") return decision;
  throw new Error(`expected a reply, got: ${decision.reason}`);
}

/** The reason of no answer, or a failure. */
export function reasonOf(decision: Decision): string {
  if (decision.kind === "ignore") return decision.reason;
  throw new Error(`expected no answer, got message type ${decision.packet.options.messageType}`);
}

/** Codes of a message's options in wire order, read without the codec under test. */
export function wireCodes(bytes: Uint8Array): number[] {
  const codes: number[] = [];
  for (let at = 240; at < bytes.length; at += 2 + bytes[at + 1]!) {
    codes.push(bytes[at]!);
    if (bytes[at] === 255) return codes;
  }
  throw new Error("there is no END");
}

/** One option's bytes on the wire, read without the codec under test. */
export function wireOption(bytes: Uint8Array, code: number): Uint8Array | undefined {
  for (let at = 240; at < bytes.length && bytes[at] !== 255; at += 2 + bytes[at + 1]!) {
    if (bytes[at] === code) return bytes.subarray(at + 2, at + 2 + bytes[at + 1]!);
  }
  return undefined;
}
