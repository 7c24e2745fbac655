// What answering a datagram needs, as types: what all interfaces share, what one open interface has, what arrived. Made by
// service.ts and run-interface.ts, used by run-answer.ts, run-decision.ts and run-sighting.ts. Pure: types only.
import type { RemoteInfo } from "node:dgram";
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { BootClient } from "../boot/client.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import type { ArpSocket } from "./arp-socket.ts";
import type { LeaseBook } from "./leases.ts";
import type { DhcpPacket } from "./packet.ts";
import type { ProbedAddresses } from "./probed-addresses.ts";
import type { LogSample, RateLimit } from "./rate-limit.ts";
import type { RepeatedEvents } from "./repeated-events.ts";
import type { ModeRunner } from "./run-mode.ts";
import type { DhcpInterfaceSettings } from "./served-subnets.ts";
import type { DhcpSocket } from "./socket.ts";
import type { ServedSubnet } from "./subnet.ts";

/** What all interfaces share. */
export type AnswerContext = {
  inventory: Pick<Inventory, "saveLeases" | "sightMachine">;
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
  repeated: RepeatedEvents;
  probed: ProbedAddresses;
  /** Whether the last save failed: one alarm per outage. */
  disk: { isFailing: boolean };
  /** Which machine has an address by a lease of ours, or as the kernel's neighbour. */
  macAt: (ip: Ipv4) => Mac | undefined;
};

/**
 * Datagrams since the start. `limited`: over 20 a second; `unsaved`: the disk failed; `failed`: an answer could not be
 * sent; `dropped`: too late to be answered in time; `repeated`: the client had asked again before it was its turn.
 */
export type Counters = Record<
  "received" | "answered" | "ignored" | "malformed" | "limited" | "unsaved" | "failed" | "dropped" | "repeated",
  number
>;

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
/** A request that was understood. `mac` is whose it is, however that was found out. */
export type Asked = Arrival & { packet: DhcpPacket; client: BootClient; mac: Mac | undefined };
