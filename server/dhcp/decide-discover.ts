// DISCOVER → OFFER (RFC 2131 §4.3.1, pxe.md 1.4). Called by reply.ts for mode `server`. Pure.
import type { Ipv4 } from "../../inventory/address.ts";
import type { BootPart } from "./boot-options.ts";
import { bootPart, isLooping } from "./boot-options.ts";
import { describeClient } from "./client.ts";
import type { Decision, EventDraft, ReplyFacts } from "./facts.ts";
import { type Grant, grantLease } from "./grant.ts";
import type { ClientKey, LeaseChange } from "./lease-change.ts";
import type { AddressChoice } from "./leases.ts";
import { type DhcpPacket, MESSAGE } from "./packet.ts";
import { OLD_PI, OLD_PI_DELAY_MS } from "./raspberry-pi.ts";
import { networkOptions, timerOptions } from "./reply-options.ts";
import { eventOf, ignore, makeReply } from "./reply-packet.ts";
import { type ServedSubnet, subnetKey } from "./subnet.ts";

/** An offer is held this long: EDK2's and BIOS ROMs' tries span a minute (4, 8, 16, 32 s). */
export const OFFER_SECONDS = 90;
/** A Pi 3's ROM takes the OFFER for its lease and never sends a REQUEST: so the OFFER is a short lease, and durable. */
export const OLD_PI_SECONDS = 600;

/** A machine and the subnet that its request belongs to. */
export type Asker = { key: ClientKey; subnet: ServedSubnet };

export function decideDiscover(request: DhcpPacket, facts: ReplyFacts, asker: Asker): Decision {
  const choice = chooseFor(request, facts, asker);
  const events = [eventOf(request, "dhcp-discover", { client: describeClient(facts.client) })];
  if (choice.unusable !== undefined) events.push(eventOf(request, "dhcp-reservation-unusable", choice.unusable));
  if (choice.kind === "closed") {
    return ignore(choice.reason, { events: [...events, eventOf(request, "dhcp-ignored", { reason: choice.reason })] });
  }
  if (choice.kind === "full") {
    const pool = subnetKey(asker.subnet);
    return ignore(`the pool of ${pool} is full`, { events: [...events, eventOf(request, "dhcp-pool-full", { pool })] });
  }
  return offer(request, facts, asker, choice, events);
}

type Choice = AddressChoice | { kind: "closed"; reason: string; unusable?: never };

/** While another DHCP server is about, only a machine with a running lease is offered anything: that lease. */
function chooseFor(request: DhcpPacket, facts: ReplyFacts, { key, subnet }: Asker): Choice {
  const { book, now } = facts;
  const cidr = subnetKey(subnet);
  if (facts.opensLeases) return book.choose(cidr, key, request.options.requestedIp, now);
  const address = book.held(cidr, key)?.lease.address;
  const verdict = address === undefined ? undefined : book.judge(cidr, key, address, now);
  if (address !== undefined && verdict?.kind === "own" && verdict.isActive) {
    return { kind: "address", address, origin: "binding" };
  }
  return { kind: "closed", reason: "another DHCP server answers here, so no new lease is opened" };
}

function offer(
  request: DhcpPacket,
  facts: ReplyFacts,
  asker: Asker,
  choice: Extract<AddressChoice, { kind: "address" }>,
  events: EventDraft[],
): Decision {
  const { client, now, machine } = facts;
  const isOldPi = client.kind === "raspberry-pi" && client.model === OLD_PI;
  const { address } = choice;
  const held: LeaseChange = {
    kind: "offer",
    offer: { subnet: subnetKey(asker.subnet), address, key: asker.key, until: now + OFFER_SECONDS, client },
  };
  const grant: Grant = isOldPi
    ? grantLease(request, facts, { ...asker, address, seconds: Math.min(asker.subnet.leaseSeconds, OLD_PI_SECONDS) })
    : { toldSeconds: asker.subnet.leaseSeconds, changes: [], leases: [] };
  const boot = bootPart(request, facts, "server");
  const options = {
    messageType: MESSAGE.offer,
    ...timerOptions(grant.toldSeconds),
    ...networkOptions(request, asker.subnet, machine),
    ...(boot.kind === "boot" && boot.options),
  };
  return makeReply(request, facts, { ...bootFields(boot, facts), yourIp: address }, options, {
    changes: [...grant.changes, held],
    leases: grant.leases,
    events: [...events, ...bootEvents(request, facts, boot), offered(request, address, boot)],
    ...(facts.probe && !isOldPi && isNew(facts, asker, choice) && { probe: address }),
    ...(isOldPi && { delayMs: OLD_PI_DELAY_MS }),
  });
}

/** Whether the address goes to somebody who does not have it yet: only then somebody else may be sitting on it. */
function isNew(facts: ReplyFacts, { key, subnet }: Asker, { address, origin }: { address: Ipv4; origin: string }) {
  const { book, now } = facts;
  if (origin === "offer" || origin === "binding" || origin === "expired") return false;
  const cidr = subnetKey(subnet);
  return book.held(cidr, key)?.lease.address !== address && book.offer(cidr, key, now)?.address !== address;
}

/** Header fields of the boot part. U-Boot keeps siaddr as `serverip` even without a file. */
export function bootFields(boot: BootPart, facts: ReplyFacts): Partial<DhcpPacket> {
  if (boot.kind === "boot") return boot.fields;
  return facts.client.kind === "uboot" && boot.kind === "no-loader" ? { nextServerIp: facts.serverIp } : {};
}

/** What people should see of the boot part: a missing loader, a loop, a Pi. */
export function bootEvents(request: DhcpPacket, facts: ReplyFacts, boot: BootPart): EventDraft[] {
  const { client } = facts;
  if (boot.kind === "no-loader") return [eventOf(request, "dhcp-no-loader", { reason: boot.reason })];
  if (boot.kind === "none") return [];
  if (client.kind === "raspberry-pi") return [eventOf(request, "raspberry-pi", { model: client.model })];
  return isLooping(facts) ? [eventOf(request, "dhcp-loop", { count: facts.loaderFetches })] : [];
}

const offered = (request: DhcpPacket, address: Ipv4, boot: BootPart): EventDraft =>
  eventOf(request, "dhcp-offer", { address, ...(boot.kind === "boot" && boot.file && { file: boot.file }) });
