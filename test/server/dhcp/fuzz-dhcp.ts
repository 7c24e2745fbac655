// Mutated packets through everything that an unknown client can reach: decode, identify, decide, encode. Deterministic by
// seed. packet.test.ts runs 20,000 of them, test/long/fuzz-dhcp.ts as many as it is told.
import type { Machine } from "../../../inventory/machine.ts";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { concatBytes } from "../../../server/dhcp/option-codecs.ts";
import { type DhcpPacket, decodePacket } from "../../../server/dhcp/packet.ts";
import { maxPayloadBytes } from "../../../server/dhcp/reply-packet.ts";
import { machineWith, Site, subnetAt, wireCodes } from "./site.ts";
import { DHCP_VECTORS, toHex, vectorBytes } from "./vectors.ts";

export type FuzzResult = {
  packets: number;
  malformed: number;
  replies: number;
  ignored: number;
  slowestMs: number;
};

/** Small, fast, good enough to choose mutations, and the same everywhere (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Mutation = (bytes: Uint8Array, random: (below: number) => number, other: Uint8Array) => Uint8Array;
/** Where options begin; mutations there reach further than in the header. */
const at = (bytes: Uint8Array, random: (below: number) => number) =>
  random(2) === 0 ? random(bytes.length) : Math.min(bytes.length - 1, 240 + random(Math.max(1, bytes.length - 240)));

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => edit(bytes, random, (byte) => byte ^ (1 << random(8))),
  (bytes, random) => edit(bytes, random, () => random(256)),
  (bytes, random) => edit(bytes, random, () => [0, 1, 127, 128, 254, 255][random(6)]!),
  (bytes, random) => bytes.slice(0, random(bytes.length + 1)),
  (bytes, random) =>
    insert(
      bytes,
      at(bytes, random),
      Uint8Array.from({ length: 1 + random(64) }, () => random(256)),
    ),
  (bytes, random) => insert(bytes, Math.min(240, bytes.length), Uint8Array.of(random(256), random(256))),
  // An option repeated: RFC 3396 makes one long value of it.
  (bytes, random) => insert(bytes, Math.min(243, bytes.length), optionOf(random)),
  // Overload, so that file and sname are read as options.
  (bytes, random) => insert(bytes, Math.min(243, bytes.length), Uint8Array.of(52, 1, random(5))),
  (bytes, random, other) => insert(bytes.slice(0, at(bytes, random)), -1, other.slice(at(other, random))),
  (bytes, random) => {
    const from = at(bytes, random);
    return insert(bytes.slice(0, from), -1, bytes.slice(from + random(32)));
  },
];

/** Options that change the decision: relay data, ids, requested addresses, classes, sizes. */
function optionOf(random: (below: number) => number): Uint8Array {
  const code = [43, 50, 53, 54, 55, 57, 60, 61, 77, 82, 93, 97, 119, 121, 175][random(15)]!;
  const length = random(4) === 0 ? random(256) : [1, 2, 4, 17][random(4)]!;
  return Uint8Array.of(code, length, ...Array.from({ length }, () => random(256)));
}

function edit(bytes: Uint8Array, random: (below: number) => number, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  const index = at(copy, random);
  if (copy.length > 0) copy[index] = change(copy[index]!);
  return copy;
}

function insert(bytes: Uint8Array, where: number, more: Uint8Array): Uint8Array {
  const index = where < 0 ? bytes.length : where;
  return concatBytes([bytes.subarray(0, index), more, bytes.subarray(index)]);
}

/**
 * Sends `count` mutated vectors through the core.
 *
 * @param maxMsPerPacket one packet may take this long on the wall clock; a hang never comes back, the script's watchdog sees it.
 * @param onProgress called after each packet with its number.
 * @throws an Error that names seed, number and bytes of the packet that broke a promise.
 */
export function fuzzDhcp(options: {
  count: number;
  seed: number;
  maxMsPerPacket?: number;
  onProgress?: (done: number) => void;
}): FuzzResult {
  const { count, seed, maxMsPerPacket = 2000, onProgress } = options;
  const random = randomFrom(seed);
  const sources = DHCP_VECTORS.map(({ name }) => vectorBytes(name));
  const site = fuzzSite();
  const result: FuzzResult = { packets: 0, malformed: 0, replies: 0, ignored: 0, slowestMs: 0 };
  for (; result.packets < count; result.packets++) {
    let bytes = sources[random(sources.length)]!;
    for (let rounds = random(5); rounds > 0; rounds--) {
      const mutate = MUTATIONS[random(MUTATIONS.length)]!;
      bytes = mutate(bytes, random, sources[random(sources.length)]!);
    }
    const start = performance.now();
    try {
      result[sendOne(site, bytes, random)]++;
    } catch (cause) {
      throw new Error(`seed ${seed}, packet ${result.packets}: ${toHex(bytes)}`, { cause });
    }
    const ms = performance.now() - start;
    result.slowestMs = Math.max(result.slowestMs, ms);
    if (ms > maxMsPerPacket) throw new Error(`seed ${seed}, packet ${result.packets} took ${ms} ms: ${toHex(bytes)}`);
    onProgress?.(result.packets + 1);
  }
  return result;
}

function fuzzSite(): Site {
  const relayed = ["10.30.1", "192.168.40", "62.12.173"].map((three) => subnetAt(three, { isRelayed: true }));
  const lively = { ntp: ["192.0.2.9"], domain: "lab.example", domainSearch: ["a.example", "b.example"] };
  return new Site("192.0.2", { ...lively, routes: [{ to: "10.0.0.0/8", via: "192.0.2.254" }] }, relayed);
}

const MACHINES: readonly (Machine | undefined)[] = [
  undefined,
  machineWith({ address: "192.0.2.150", name: "node1" }),
  machineWith({ lifecycle: "installed", macs: ["d0:50:99:4e:05:57"], id: "m2" }),
];

function sendOne(
  site: Site,
  bytes: Uint8Array,
  random: (below: number) => number,
): "malformed" | "replies" | "ignored" {
  let packet: DhcpPacket;
  try {
    packet = decodePacket(bytes);
  } catch (cause) {
    if (cause instanceof SlipwayError && cause.code === "MALFORMED_PACKET") return "malformed";
    throw cause;
  }
  site.now += random(40);
  const machine = MACHINES[random(MACHINES.length)];
  if (machine !== undefined) site.book.setMachine(machine);
  const decision = site.ask(packet, {
    mode: random(4) === 0 ? "proxy" : "server",
    port: random(8) === 0 ? 4011 : 67,
    isUnicast: random(2) === 0,
    authoritative: random(2) === 0,
    opensLeases: random(8) !== 0,
    probe: random(2) === 0,
    loaderFetches: random(6),
    source: { ip: random(4) === 0 ? "0.0.0.0" : packet.clientIp, port: 68 },
    ...(machine !== undefined && { machine }),
  });
  if (decision.kind === "ignore") return "ignored";
  const limit = maxPayloadBytes(packet, 1500);
  if (decision.bytes.length > limit || decision.bytes.length < 300) throw new Error(`${decision.bytes.length} bytes`);
  // What was asked for by a stranger must still be a packet that a strict reader takes.
  if (wireCodes(decision.bytes)[0] !== 53) throw new Error("53 is not first");
  decodePacket(decision.bytes);
  return "replies";
}
