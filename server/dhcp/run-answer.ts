// One datagram from its arrival to the answer's departure: decode, gather facts, decide, ask the wire, save, send. No rule
// lives here (reply.ts decides), only the order: nothing leaves before the disk has it (design §2 row 15).
// Called by run-interface.ts for each datagram; a bad packet costs one counter and one sampled log line.
import type { RemoteInfo } from "node:dgram";
import { setTimeout as wait } from "node:timers/promises";
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import { BOOTING_KINDS, type BootClient } from "../boot/client.ts";
import { decideBoot } from "../boot/decide.ts";
import { type BootFile, chooseBootFile } from "../boot/loader.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { IMAGE_ARCH } from "../boot/script-for.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { ArpSocket } from "./arp-socket.ts";
import { clientKey, clientMac, identifyClient } from "./client.ts";
import type { Decision, ReplyFacts } from "./facts.ts";
import { foreignServerOf } from "./foreign-server.ts";
import type { LeaseBook } from "./leases.ts";
import { BOOT_REQUEST, type DhcpPacket, decodePacket, MESSAGE } from "./packet.ts";
import type { ProbedAddresses } from "./probed-addresses.ts";
import type { LogSample, RateLimit } from "./rate-limit.ts";
import { isRelayed } from "./relay.ts";
import { decideReply } from "./reply.ts";
import type { ModeRunner } from "./run-mode.ts";
import type { DhcpInterfaceSettings } from "./served-subnets.ts";
import type { DhcpSocket } from "./socket.ts";
import { chooseSubnet, type ServedSubnet, subnetKey } from "./subnet.ts";

/** How long an address is asked for on the wire before it is offered for the first time; RFC 5227's seconds would cost the boot. */
export const ARP_PROBE_MS = 300;
/** Addresses found in use before one DISCOVER is given up; the client asks again. */
const MAX_IN_USE = 4;

/** What all interfaces share. */
export type AnswerContext = {
  inventory: Pick<Inventory, "saveLeases" | "sightMachine" | "moveActivity">;
  /** By MAC, kept fresh by service.ts. */
  machines: ReadonlyMap<Mac, Machine>;
  book: LeaseBook;
  httpPort: number;
  loopPath: string;
  loopCount: (mac: Mac) => number;
  ownIps: () => readonly Ipv4[];
  log: Log;
  record: RecordEvent;
  limit: RateLimit;
  sample: LogSample;
  probed: ProbedAddresses;
  /** Whether the last save failed: one alarm per outage. */
  disk: { isFailing: boolean };
};

export type Counters = Record<"received" | "answered" | "ignored" | "malformed" | "limited" | "unsaved", number>;

/** One interface while it is open. */
export type LiveInterface = {
  at: ServedInterface & { address: Ipv4 };
  settings: DhcpInterfaceSettings;
  subnets: readonly ServedSubnet[];
  mode: ModeRunner;
  arp: ArpSocket | undefined;
  counters: Counters;
  /** Probes under way, so that a retry waits for the same answer. */
  probes: Map<Ipv4, Promise<Mac | undefined>>;
};

export type Arrival = { bytes: Uint8Array; from: RemoteInfo; port: 67 | 4011; isUnicast: boolean; socket: DhcpSocket };
type Asked = Arrival & { packet: DhcpPacket; client: BootClient };

/** Answers one datagram. Never throws and never rejects. */
export async function answerDatagram(ctx: AnswerContext, live: LiveInterface, arrival: Arrival): Promise<void> {
  try {
    // What we broadcast ourselves comes back by loopback.
    if (ctx.ownIps().includes(arrival.from.address)) return;
    live.counters.received++;
    const packet = decodePacket(arrival.bytes);
    noteForeign(ctx, live, packet, arrival.from.address);
    if (packet.op !== BOOT_REQUEST || !isWithinLimit(ctx, live, packet)) return;
    await answerRequest(ctx, live, arrival, packet);
  } catch (cause) {
    live.counters.malformed++;
    const isMalformed = cause instanceof SlipwayError && cause.code === "MALFORMED_PACKET";
    const kept = ctx.sample.take(`${live.at.name} ${isMalformed ? "malformed" : String(cause)}`, performance.now());
    if (kept === undefined) return;
    const what = `${live.at.name}: a datagram from ${arrival.from.address}:${arrival.from.port} was dropped`;
    const more = kept > 0 ? ` (and ${kept} more in the last minute)` : "";
    if (isMalformed) ctx.log.warn(`${what}: ${cause.message}${more}`);
    else ctx.log.error(`${what}${more}`, { err: cause });
  }
}

function noteForeign(ctx: AnswerContext, live: LiveInterface, packet: DhcpPacket, source: Ipv4): void {
  const server = foreignServerOf(packet, source, ctx.ownIps());
  if (server !== undefined) live.mode.heardForeign(server);
}

function isWithinLimit(ctx: AnswerContext, live: LiveInterface, packet: DhcpPacket): boolean {
  const key = clientKey(packet) ?? "nobody";
  if (ctx.limit.allow(key, performance.now())) return true;
  live.counters.limited++;
  if (ctx.sample.take(`${key} flood`, performance.now()) !== undefined) {
    ctx.log.warn(`${live.at.name}: ${key} asks more than 20 times a second; the rest is dropped`);
  }
  return false;
}

async function answerRequest(
  ctx: AnswerContext,
  live: LiveInterface,
  arrival: Arrival,
  packet: DhcpPacket,
): Promise<void> {
  const key = clientKey(packet);
  const remembered = key === undefined ? undefined : ctx.book.rememberedClient(key, Math.floor(Date.now() / 1000));
  const asked = { ...arrival, packet, client: identifyClient(packet, remembered) };
  // First the machine, then its events: one commit writes them in this order.
  sight(ctx, live, asked);
  const decision = await settle(ctx, live, asked);
  for (const event of decision.events) ctx.record(event);
  if (decision.leases.length > 0 && !(await save(ctx, live, decision.leases))) return;
  if (decision.kind === "ignore") {
    live.counters.ignored++;
    ctx.log.debug(`${live.at.name}: ${key ?? "somebody"} is not answered: ${decision.reason}`);
    return;
  }
  if (decision.delayMs !== undefined) await wait(decision.delayMs);
  await arrival.socket.send(decision.bytes, decision.destination);
  if (decision.copyTo) await arrival.socket.send(decision.bytes, decision.copyTo);
  live.counters.answered++;
}

/** Gathers what decideReply must know. */
function factsFor(ctx: AnswerContext, live: LiveInterface, asked: Asked): ReplyFacts {
  const { at, settings, subnets } = live;
  const { packet, client, port, from, isUnicast } = asked;
  const mac = clientMac(packet);
  const machine = mac === undefined ? undefined : ctx.machines.get(mac);
  const subnet = chooseSubnet(packet, subnets, at.network, isUnicast);
  const permission = live.mode.permission();
  const noMac: BootFile = { kind: "none", reason: "it sends no Ethernet address" };
  return {
    now: Math.floor(Date.now() / 1000),
    mode: permission.mode,
    port,
    source: { ip: from.address, port: from.port },
    isUnicast,
    serverIp: at.address,
    ownIps: ctx.ownIps(),
    mtu: at.mtu,
    httpPort: ctx.httpPort,
    ...(subnet && { subnet }),
    client,
    ...(machine && { machine }),
    boot: decideBoot(machine, settings.strangers),
    bootFile: mac ? chooseBootFile(client, mac, { ip: at.address, httpPort: ctx.httpPort }) : noMac,
    // Beside another server a NAK could take away what that one gave.
    authoritative: settings.authoritative && permission.opens,
    opensLeases: permission.opens,
    probe: settings.probe,
    book: ctx.book,
    loaderFetches: mac ? ctx.loopCount(mac) : 0,
    loopPath: ctx.loopPath,
  };
}

/** Decides; while another server holds us back, a booting machine still gets its boot data, as a proxy would give it. */
function decide(live: LiveInterface, asked: Asked, facts: ReplyFacts): Decision {
  const decision = decideReply(asked.packet, facts);
  if (facts.mode !== "server" || facts.opensLeases || decision.kind === "reply") return decision;
  const permission = live.mode.permission();
  if (permission.offersBoot && asked.packet.options.messageType === MESSAGE.discover) {
    const asProxy = decideReply(asked.packet, { ...facts, mode: "proxy" });
    if (asProxy.kind === "reply") return asProxy;
  }
  // The policy knows only that leases are closed; people are told why.
  const told = { reason: `${permission.reason}, so only leases that exist are renewed` };
  const events = decision.events.map((one) => (one.kind === "dhcp-ignored" ? { ...one, detail: told } : one));
  return { ...decision, events };
}

/** Decides until the address is one that nobody on the wire answers for. What is decided is applied at once. */
async function settle(ctx: AnswerContext, live: LiveInterface, asked: Asked): Promise<Decision> {
  for (let inUse = 0; inUse < MAX_IN_USE; inUse++) {
    const facts = factsFor(ctx, live, asked);
    const decision = decide(live, asked, facts);
    ctx.book.apply(decision.changes);
    if (decision.kind === "ignore" || isRelayed(asked.packet)) return decision;
    const ip = decision.probe ?? decision.packet.yourIp;
    const owner = await findOwner(ctx, live, ip, decision.probe !== undefined);
    // A machine that rebooted may still answer for the address it is about to be given.
    if (owner === undefined || owner === clientMac(asked.packet) || facts.subnet === undefined) return decision;
    setAside(ctx, live, facts.subnet, ip, owner);
  }
  const reason = `${MAX_IN_USE} addresses in a row answered ARP although nobody was given them`;
  return { kind: "ignore", reason, changes: [], leases: [], events: [] };
}

/** Who answers ARP for an address; asks only when told to, but always waits for a question that is under way. */
async function findOwner(
  ctx: AnswerContext,
  live: LiveInterface,
  ip: Ipv4,
  isFirstOffer: boolean,
): Promise<Mac | undefined> {
  const underWay = live.probes.get(ip);
  if (underWay) return underWay;
  const now = performance.now();
  if (!isFirstOffer || live.arp === undefined || ctx.probed.isFree(live.at.name, ip, now)) return undefined;
  const asking = live.arp.probeAddress(ip, ARP_PROBE_MS).finally(() => live.probes.delete(ip));
  live.probes.set(ip, asking);
  const owner = await asking;
  if (owner === undefined) ctx.probed.markFree(live.at.name, ip, performance.now());
  return owner;
}

function setAside(ctx: AnswerContext, live: LiveInterface, subnet: ServedSubnet, ip: Ipv4, owner: Mac): void {
  const lease = ctx.book.setAside(subnetKey(subnet), ip, owner, Math.floor(Date.now() / 1000));
  ctx.record({ kind: "dhcp-address-in-use", detail: { address: ip, mac: owner, interface: live.at.name } });
  ctx.log.warn(`${live.at.name}: ${ip} is in use by ${owner}, which did not get it here; it is set aside`);
  void save(ctx, live, [lease]);
}

/** @returns whether the leases are on disk. A failing disk is one alarm, not one per packet. */
async function save(ctx: AnswerContext, live: LiveInterface, leases: readonly Lease[]): Promise<boolean> {
  try {
    await ctx.inventory.saveLeases(leases);
  } catch (cause) {
    live.counters.unsaved++;
    if (!ctx.disk.isFailing) {
      const why = cause instanceof Error ? cause.message : String(cause);
      ctx.log.error(`Leases cannot be written, so DHCP clients get no answer until they can: ${why}`, { err: cause });
    }
    ctx.disk.isFailing = true;
    return false;
  }
  ctx.book.markDurable(leases);
  if (ctx.disk.isFailing) ctx.log.info("Leases can be written again; DHCP clients are answered.");
  ctx.disk.isFailing = false;
  return true;
}

/** Kinds whose DISCOVER comes from firmware: the machine was just powered on. iPXE may be either; boot/service.ts moves it on. */
const MESSAGES_OF_A_BOOT: ReadonlySet<number | undefined> = new Set([
  MESSAGE.discover,
  MESSAGE.request,
  MESSAGE.inform,
]);

/** Tells the inventory that a machine boots. A plain laptop is none of its business. */
function sight(ctx: AnswerContext, live: LiveInterface, { packet, client }: Asked): void {
  const mac = clientMac(packet);
  const type = packet.options.messageType;
  if (mac === undefined || !BOOTING_KINDS.has(client.kind) || !MESSAGES_OF_A_BOOT.has(type)) return;
  const arch = IMAGE_ARCH[client.arch];
  const firmware = client.platform === "bios" || client.platform === "uefi" ? { firmware: client.platform } : {};
  const sighting = {
    mac,
    at: Date.now(),
    interfaceName: live.at.name,
    ...(client.uuid && { uuid: client.uuid }),
    ...(arch && { arch }),
    ...firmware,
  };
  ctx.inventory
    .sightMachine(sighting)
    .then(async (machine) => {
      if (type === MESSAGE.discover && machine.activity !== "firmware" && client.kind !== "ipxe") {
        await ctx.inventory.moveActivity(machine.id, "firmware");
      }
    })
    .catch((cause) => {
      if (ctx.sample.take("sight", performance.now()) !== undefined) {
        ctx.log.error(`${mac} boots, but the inventory could not be told`, { err: cause });
      }
    });
}
