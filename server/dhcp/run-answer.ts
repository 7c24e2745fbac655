// One datagram from its arrival to the answer's departure: decode, decide, save, send. No rule lives here (reply.ts decides),
// only the order: nothing leaves before the disk has it (design §2 row 15). Called by run-interface.ts for each datagram; a
// bad packet costs one counter and one sampled log line.
import { setTimeout as wait } from "node:timers/promises";
import type { Ipv4, Mac } from "../../inventory/address.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { AnswerContext, Arrival, LiveInterface } from "./answer-context.ts";
import { clientKey, clientMac, identifyClient } from "./client.ts";
import { foreignServerOf } from "./foreign-server.ts";
import { BOOT_REQUEST, type DhcpPacket, decodePacket } from "./packet.ts";
import { settleDecision } from "./run-decision.ts";
import { saveLeases } from "./run-save.ts";
import { sightClient } from "./run-sighting.ts";

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
    const isMalformed = cause instanceof SlipwayError && cause.code === "MALFORMED_PACKET";
    live.counters[isMalformed ? "malformed" : "failed"]++;
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
  const asked = { ...arrival, packet, client: identifyClient(packet, remembered), mac: findMac(ctx, arrival, packet) };
  // First the machine, then its events: one commit writes them in this order.
  sightClient(ctx, live, asked);
  const decision = await settleDecision(ctx, live, asked);
  for (const event of decision.events) if (ctx.repeated.isNews(event, performance.now())) ctx.record(event);
  if (decision.leases.length > 0 && !(await saveLeases(ctx, live, decision.leases))) return;
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

/** Whose request it is. EDK2 may send its GUID for a hardware address to port 4011 (pxe.md 2.6): then the address tells. */
function findMac(ctx: AnswerContext, { port, from }: Arrival, packet: DhcpPacket): Mac | undefined {
  return clientMac(packet) ?? (port === 4011 ? ctx.macAt(from.address) : undefined);
}
