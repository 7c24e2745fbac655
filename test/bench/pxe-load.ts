// Load for dhcp.ts, inside a namespace: many PXE machines on the server's own wire (giaddr 0, broadcast), which perfdhcp
// cannot be. Run: node pxe-load.ts INTERFACE '{"kind":"new", …}'; one line of JSON says how it went.
//   new     `outstanding` machines at a time, each one never seen, DISCOVER to ACK
//   known   the same over `machines` machines that took their leases before the clock starts
//   renew   those machines renew by a relay at `relay` (ciaddr and giaddr set), REQUEST to ACK
//   script  machines that took their leases before fetch their boot scripts, each its first
//   storm   `machines` are switched on within `overMs`; each asks again after 1, 2, 4, 8 s, as firmware does
import { createSocket, type Socket } from "node:dgram";
import { setTimeout as wait } from "node:timers/promises";
import { ipv4ToNumber } from "../../inventory/address.ts";
import { koffiProvider } from "../../server/dhcp/socket.ts";
import { ACK, NAK, OFFER, offsetOf, pxePacket, type Speaking } from "./pxe-packets.ts";
import { fetchScript, takeAddresses } from "./script-load.ts";

export type LoadOrder = {
  kind: "new" | "known" | "renew" | "storm" | "script";
  seconds: number;
  outstanding: number;
  machines: number;
  /** Number of the first machine, so that two runs share none. */
  first: number;
  overMs?: number;
  relay?: string;
  server?: string;
  /** Between the machines' leases and the clock's start: events that say nothing new are not written for ten seconds. */
  pauseMs?: number;
};
/** Milliseconds are of whole exchanges (DISCOVER to ACK; `renew`: REQUEST to ACK). `lost`: answers that came too late or never. */
export type LoadResult = {
  done: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  sent: number;
  lost: number;
  naks: number;
};

type Answer = { type: number; ip: number; server: number };
type Waiter = { resolve: (answer: Answer | undefined) => void; until: number };

/** A closed loop calls an answer lost after this, as perfdhcp does. */
const LOST_MS = 1000;
const STORM_WAITS_MS = [1000, 2000, 4000, 8000, 16_000];

export async function runLoad(interfaceName: string, order: LoadOrder): Promise<LoadResult> {
  const socket = await openSocket(interfaceName, order.relay === undefined ? 68 : 67);
  const relay = order.relay === undefined ? 0 : ipv4ToNumber(order.relay);
  const target = order.relay === undefined ? "255.255.255.255" : order.server!;
  const waiting = new Map<number, Waiter>();
  const count = { sent: 0, lost: 0, naks: 0 };
  let nextXid = (process.pid * 65_536) >>> 0;

  socket.on("message", (reply) => {
    const xid = reply.readUInt32BE(4);
    const waiter = reply[0] === 2 ? waiting.get(xid) : undefined;
    if (waiter === undefined) return;
    waiting.delete(xid);
    waiter.resolve({
      type: reply[offsetOf(reply, 53)]!,
      ip: reply.readUInt32BE(16),
      server: reply.readUInt32BE(offsetOf(reply, 54)),
    });
  });
  const sweep = setInterval(() => {
    const now = performance.now();
    for (const [xid, { until, resolve }] of waiting) {
      if (now < until) continue;
      waiting.delete(xid);
      count.lost++;
      resolve(undefined);
    }
  }, 10);

  type Words = Speaking extends infer S ? (S extends Speaking ? Omit<S, "xid" | "relay"> : never) : never;
  /** Without an xid of its own an exchange gets a new one, as each of perfdhcp's has. */
  const ask = (words: Words, waitMs: number, ownXid?: number) =>
    new Promise<Answer | undefined>((resolve) => {
      nextXid = (nextXid + 1) >>> 0;
      const xid = ownXid ?? nextXid;
      waiting.set(xid, { resolve, until: performance.now() + waitMs });
      count.sent++;
      socket.send(pxePacket({ ...words, xid, relay } as Speaking), 67, target);
    });
  const dora = async (n: number, waits: readonly number[] = [LOST_MS]): Promise<Answer | undefined> => {
    // iPXE and EDK2 keep the number while they repeat: a late OFFER is as good as one in time.
    const xid = waits.length > 1 ? n : undefined;
    for (const waitMs of waits) {
      const offer = await ask({ say: "discover", n }, waitMs, xid);
      if (offer?.type !== OFFER) continue;
      const ack = await askUntilAck(n, offer, waitMs, xid);
      if (ack?.type === ACK) return ack;
      if (ack?.type === NAK) count.naks++;
    }
    return undefined;
  };
  /** An OFFER that comes twice, because the DISCOVER did, is not the answer to the REQUEST. */
  const askUntilAck = async (n: number, offer: Answer, waitMs: number, xid?: number): Promise<Answer | undefined> => {
    const until = performance.now() + waitMs;
    let answer = await ask({ say: "request", n, ip: offer.ip, server: offer.server }, waitMs, xid);
    while (answer?.type === OFFER && xid !== undefined) {
      answer = await new Promise<Answer | undefined>((resolve) => waiting.set(xid, { resolve, until }));
    }
    return answer;
  };
  const renew = async (n: number, ip: number): Promise<Answer | undefined> => {
    const ack = await ask({ say: "renew", n, ip }, LOST_MS);
    if (ack?.type === NAK) count.naks++;
    return ack?.type === ACK ? ack : undefined;
  };

  const has = new Map<number, number>();
  const warmUp = async () => {
    for (let next = order.first; next < order.first + order.machines; ) {
      const batch = Array.from({ length: Math.min(64, order.first + order.machines - next) }, () => next++);
      const answers = await Promise.all(batch.map((n) => dora(n, STORM_WAITS_MS)));
      for (const [i, n] of batch.entries()) if (answers[i] !== undefined) has.set(n, answers[i].ip);
    }
    Object.assign(count, { sent: 0, lost: 0, naks: 0 });
  };
  const tookMs: number[] = [];
  let next = 0;
  const EXCHANGES: Record<LoadOrder["kind"], () => Promise<unknown>> = {
    new: () => dora(order.first + next++),
    known: () => dora(order.first + (next++ % order.machines)),
    renew: () => {
      const n = order.first + (next++ % order.machines);
      return renew(n, has.get(n) ?? 0);
    },
    script: async () => {
      const n = order.first + next++;
      const ip = has.get(n);
      if (ip === undefined) return undefined;
      const isScript = await fetchScript(n, ip, order.server!);
      if (!isScript) count.lost++;
      return isScript || undefined;
    },
    storm: () => dora(order.first + next++, STORM_WAITS_MS),
  };
  const timed = async () => {
    const from = performance.now();
    if ((await EXCHANGES[order.kind]()) !== undefined) tookMs.push(performance.now() - from);
  };

  if (["known", "renew", "script"].includes(order.kind)) await warmUp();
  if (order.kind === "script") takeAddresses(interfaceName, has.values());
  await wait(order.pauseMs ?? 0);
  process.stdout.write("begin\n");
  const begun = performance.now();
  if (order.kind === "storm") await storm(order, timed);
  else {
    const end = begun + order.seconds * 1000;
    const worker = async () => {
      while (performance.now() < end && !(order.kind === "script" && next >= order.machines)) await timed();
    };
    await Promise.all(Array.from({ length: order.outstanding }, worker));
  }
  const seconds = (performance.now() - begun) / 1000;
  clearInterval(sweep);
  socket.close();
  tookMs.sort((a, b) => a - b);
  const quantile = (q: number) => tookMs[Math.floor((tookMs.length - 1) * q)] ?? Number.NaN;
  return { done: tookMs.length, seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: quantile(1), ...count };
}

/** Switches machines on evenly over the time, and ends when all have their address or the time is over. */
async function storm({ machines, overMs = 1000, seconds }: LoadOrder, boot: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  const all: Promise<void>[] = [];
  while (all.length < machines) {
    const due = Math.min(machines, Math.ceil((machines * (performance.now() - begun + 1)) / overMs));
    while (all.length < due) all.push(boot());
    await wait(1);
  }
  await Promise.race([Promise.all(all), wait(seconds * 1000)]);
}

async function openSocket(interfaceName: string, port: number): Promise<Socket> {
  const fd = koffiProvider({ interfaceName, port, isShared: true })!;
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  return socket;
}

if (import.meta.filename === process.argv[1]) {
  const result = await runLoad(process.argv[2]!, JSON.parse(process.argv[3]!) as LoadOrder);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}
