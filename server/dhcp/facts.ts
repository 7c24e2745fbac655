// What decideReply is told beside the packet, and what it answers. The contract between the policy (reply.ts) and the edge
// (service.ts), which gathers the facts, applies the changes, saves, and only then sends. Pure: types only.
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { NewEvent } from "../../inventory/event.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { BootClient } from "../boot/client.ts";
import type { BootDecision } from "../boot/decide.ts";
import type { BootFile } from "../boot/loader.ts";
import type { LeaseChange } from "./lease-change.ts";
import type { LeaseBook } from "./leases.ts";
import type { DhcpPacket } from "./packet.ts";
import type { ServedSubnet } from "./subnet.ts";

export type ReplyFacts = {
  /** Seconds since 1970. */
  now: number;
  /** `server` leases addresses; `proxy` gives only boot data beside another server's addresses. */
  mode: "server" | "proxy";
  /** The port the request came to. */
  port: 67 | 4011;
  /** Where the request came from. */
  source: { ip: Ipv4; port: number };
  /** It was sent to one of our addresses, not broadcast. Tells RENEWING from REBINDING. */
  isUnicast: boolean;
  /** Our address on the request's interface: option 54, siaddr and the TFTP server. */
  serverIp: Ipv4;
  /** All addresses of this box, `serverIp` included: a client may name any of them. */
  ownIps: readonly Ipv4[];
  /** MTU of the interface. */
  mtu: number;
  httpPort: number;
  /** From chooseSubnet; undefined when none is configured for this request. Not used in mode `proxy`. */
  subnet?: ServedSubnet;
  /** From identifyClient. */
  client: BootClient;
  /** From the inventory; undefined when the machine is unknown. */
  machine?: Machine;
  /** From decideBoot. */
  boot: BootDecision;
  /** From chooseBootFile. */
  bootFile: BootFile;
  /** Setting `authoritative` (pxe.md 1.5). */
  authoritative: boolean;
  /** False after another DHCP server was heard: only what is already leased is served. */
  opensLeases: boolean;
  /** Setting `probe`: the decision then says which address to ARP for before an offer leaves. */
  probe: boolean;
  /** Only read; the decision says what to change. */
  book: LeaseBook;
  /** How often this client fetched a loader of ours in the last two minutes. */
  loaderFetches: number;
  /** Path, without leading slash, of the iPXE script that explains the loop; served by TFTP and HTTP. */
  loopPath: string;
};

/** Where a reply goes. `mac` is set when the client can be reached by unicast once the kernel knows its MAC. */
export type Destination = { ip: Ipv4; port: number; mac?: Mac };
export type EventDraft = Omit<NewEvent, "at">;

type Effects = {
  /** For {@link LeaseBook.apply}, at once, in this order. */
  changes: readonly LeaseChange[];
  /** To be on disk before the reply leaves; then {@link LeaseBook.markDurable}. Empty: nothing to write. */
  leases: readonly Lease[];
  events: readonly EventDraft[];
};

export type Decision =
  | (Effects & {
      kind: "reply";
      packet: DhcpPacket;
      /** `packet` encoded, within the client's size and in the order of its option 55. */
      bytes: Uint8Array;
      destination: Destination;
      /** A NAK to a renewing client goes here as well (pxe.md 1.3). */
      copyTo?: Destination;
      /** ARP for this address first; when somebody answers, call {@link LeaseBook.setAside} and decide again. */
      probe?: Ipv4;
      /** A Pi 3's ROM misses replies that come too fast (firmware #934). */
      delayMs?: number;
    })
  | (Effects & { kind: "ignore"; reason: string });
