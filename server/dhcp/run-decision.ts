// From an understood request to a decision that may be acted on: gathers the facts, asks the policy (reply.ts), and asks the
// wire before an address is offered for the first time (pxe.md 1.12). Called by run-answer.ts.
import type { Ipv4, Mac } from "../../inventory/address.ts";
import { decideBoot } from "../boot/decide.ts";
import { type BootFile, chooseBootFile } from "../boot/loader.ts";
import type { AnswerContext, Asked, LiveInterface } from "./answer-context.ts";
import type { Decision, ReplyFacts } from "./facts.ts";
import { MESSAGE } from "./packet.ts";
import { isRelayed } from "./relay.ts";
import { decideReply } from "./reply.ts";
import { saveLeases } from "./run-save.ts";
import { chooseSubnet, type ServedSubnet, subnetKey } from "./subnet.ts";

/** How long an address is asked for on the wire before it is offered for the first time; RFC 5227's seconds would cost the boot. */
export const ARP_PROBE_MS = 300;
/** Addresses found in use before one DISCOVER is given up; the client asks again. */
const MAX_IN_USE = 4;

/** Gathers what decideReply must know. */
function factsFor(ctx: AnswerContext, live: LiveInterface, asked: Asked): ReplyFacts {
  const { at, settings, subnets } = live;
  const { packet, client, port, from, isUnicast, mac } = asked;
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
export async function settleDecision(ctx: AnswerContext, live: LiveInterface, asked: Asked): Promise<Decision> {
  for (let inUse = 0; inUse < MAX_IN_USE; inUse++) {
    const facts = factsFor(ctx, live, asked);
    const decision = decide(live, asked, facts);
    ctx.book.apply(decision.changes);
    if (decision.kind === "ignore" || isRelayed(asked.packet)) return decision;
    const ip = decision.probe ?? decision.packet.yourIp;
    const owner = await findOwner(ctx, live, ip, decision.probe !== undefined);
    // A machine that rebooted may still answer for the address it is about to be given.
    if (owner === undefined || owner === asked.mac || facts.subnet === undefined) return decision;
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
  void saveLeases(ctx, live, [lease]);
}
