// The edge of mode.ts for one interface: sends the DISCOVERs, overhears other servers on port 68, keeps the memory, tells
// people. Called by run-interface.ts, which opens one per usable interface and closes it when the interface goes.
import { randomInt } from "node:crypto";
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { ArpSocket } from "./arp-socket.ts";
import { foreignServerOf } from "./foreign-server.ts";
import {
  type ForeignServer,
  type ModeAction,
  type ModeSettings,
  type ModeState,
  type Permission,
  permissionOf,
  type Remembered,
  type Stepped,
  startMode,
  stepMode,
} from "./mode.ts";
import { decodePacket, encodePacket } from "./packet.ts";
import { probePacket } from "./probe-packet.ts";
import { arpOf, readDefaultGateway } from "./read-neighbours.ts";
import { type DhcpSocket, type DhcpSocketProvider, openDhcpSocket } from "./socket.ts";

export type ModeRunnerDeps = {
  at: ServedInterface;
  settings: ModeSettings;
  /** From the settings; else the kernel's default route is asked. */
  gateway?: Ipv4 | undefined;
  ownIps: () => readonly Ipv4[];
  inventory: Pick<Inventory, "readMark" | "writeMark">;
  record: RecordEvent;
  log: Log;
  provider: DhcpSocketProvider;
  /** Undefined without CAP_NET_RAW: then a gateway is silent and a foreign server has no MAC. */
  arp: ArpSocket | undefined;
};

export type ModeRunner = {
  permission(): Permission;
  /** `starting` until memory and gateway are known, then the state's kind. */
  kind(): ModeState["kind"] | "starting";
  /** The other server that was heard last, while it matters. */
  foreign(): ForeignServer | undefined;
  /** A client on port 67 named another server. */
  heardForeign(server: Ipv4): void;
  close(): void;
};

const TICK_MS = 500;
const GATEWAY_WAIT_MS = 1000;
const FOREIGN_MAC_WAIT_MS = 300;
/** Before the first step: as while looking. */
const STARTING: Permission = {
  mode: "server",
  opens: false,
  renews: true,
  offersBoot: false,
  reason: "the DHCP mode is being found out",
};

/** Starts deciding for one interface and goes on until closed. Never throws: an interface that cannot decide leases nothing. */
export function runMode(deps: ModeRunnerDeps): ModeRunner {
  const { at, settings, log } = deps;
  let state: ModeState | undefined;
  let watch: DhcpSocket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOpen = true;

  const step = ([next, actions]: Stepped) => {
    state = next;
    for (const action of actions) act(deps, action, watch);
  };
  const heardForeign = (server: Ipv4) => {
    if (state) step(stepMode(state, { kind: "foreign", now: Date.now(), foreign: { server } }));
  };
  const overhear = (bytes: Uint8Array, from: { address: string }) => {
    // Our own answers come back by loopback, each of them under load.
    if (deps.ownIps().includes(from.address)) return;
    try {
      const server = foreignServerOf(decodePacket(bytes), from.address, deps.ownIps());
      if (server !== undefined) heardForeign(server);
    } catch {
      // Not DHCP: nothing on port 68 is for us but what other servers say.
    }
  };
  const start = async () => {
    const [remembered, gatewayMac] = await Promise.all([readMemory(deps), findGateway(deps)]);
    const opened = await openWatch(deps, overhear);
    if (!isOpen) return typeof opened === "string" ? undefined : opened.close();
    if (typeof opened !== "string") watch = opened;
    const facts = {
      ...(remembered && { remembered }),
      ...(gatewayMac && { gatewayMac }),
      ...(typeof opened === "string" && { deaf: opened }),
    };
    step(startMode({ kind: "start", now: Date.now(), settings, ...facts }));
    timer = setInterval(() => {
      if (state) step(stepMode(state, { kind: "tick", now: Date.now() }));
    }, TICK_MS);
  };
  start().catch((cause) => {
    // Closed in the meantime: then the inventory is closed, too, and that is no fault.
    if (isOpen) log.error(`${at.name}: the DHCP mode cannot be decided, so nothing is leased`, { err: cause });
  });

  return {
    permission: () => (state ? permissionOf(state) : STARTING),
    kind: () => state?.kind ?? "starting",
    foreign: () => (state?.kind === "held" ? state.foreign : undefined),
    heardForeign,
    close() {
      isOpen = false;
      clearInterval(timer);
      watch?.close();
    },
  };
}

/** @returns the socket on port 68, or why there is none. */
async function openWatch(
  { at, provider }: ModeRunnerDeps,
  heard: (bytes: Uint8Array, from: { address: string }) => void,
): Promise<DhcpSocket | string> {
  try {
    const wish = { interfaceName: at.name, port: 68, isShared: true };
    return await openDhcpSocket({ wish, provider, heard, failed: () => {} });
  } catch (cause) {
    return cause instanceof SlipwayError ? cause.message : String(cause);
  }
}

/** Name of the mark that remembers an interface and subnet. */
const markOf = (at: ServedInterface) => `dhcp-mode/${at.name}/${at.network?.cidr}`;

async function readMemory({ inventory, at, log }: ModeRunnerDeps): Promise<Remembered | undefined> {
  const text = await inventory.readMark(markOf(at));
  if (text === undefined) return undefined;
  try {
    const { mode, gatewayMac } = JSON.parse(text) as Partial<Remembered>;
    if (mode === "server" || mode === "proxy") return gatewayMac === undefined ? { mode } : { mode, gatewayMac };
  } catch {
    // Told below: it cannot be read.
  }
  log.warn(`${at.name}: what was remembered of the DHCP mode cannot be read (${text}); it looks anew`);
  return undefined;
}

async function findGateway({ at, gateway, arp, ownIps }: ModeRunnerDeps): Promise<Mac | undefined> {
  const ip = gateway ?? readDefaultGateway(at.name);
  if (ip === undefined || ownIps().includes(ip)) return undefined;
  return (await arp?.findMac(ip, GATEWAY_WAIT_MS)) ?? arpOf(ip);
}

/** Does what the state machine asked for; a step that fails is told and does not stop the others. */
function act(deps: ModeRunnerDeps, action: ModeAction, watch: DhcpSocket | undefined): void {
  const { at, inventory, record, log } = deps;
  const name = at.name;
  switch (action.kind) {
    case "probe": {
      const bytes = encodePacket(probePacket(at.mac, randomInt(2 ** 32)));
      watch
        ?.send(bytes, { ip: "255.255.255.255", port: 67 })
        .catch((cause) => log.warn(`${name}: a DISCOVER of our own could not be sent`, { err: cause }));
      return;
    }
    case "remember":
      inventory
        .writeMark(markOf(at), JSON.stringify(action.remembered))
        .catch((cause) => log.error(`${name}: the DHCP mode could not be remembered`, { err: cause }));
      return;
    case "announce":
      log.info(`${name}: DHCP mode ${action.mode}: ${action.reason}`);
      // Looking is no mode yet; its end is the event.
      if (action.mode !== "looking") {
        record({ kind: "dhcp-mode", detail: { interface: name, mode: action.mode, reason: action.reason } });
      }
      return;
    case "unserved":
      log.warn(`${name}: ${action.reason}`);
      record({ kind: "dhcp-mode", detail: { interface: name, mode: "proxy", reason: action.reason } });
      return;
    case "alarm":
      void raiseAlarm(deps, action.foreign, action.consequence);
  }
}

/** Names the other server by address and MAC, so that a person finds the box. */
async function raiseAlarm(deps: ModeRunnerDeps, { server }: ForeignServer, consequence: string): Promise<void> {
  const mac = (await deps.arp?.findMac(server, FOREIGN_MAC_WAIT_MS)) ?? arpOf(server);
  const detail = { interface: deps.at.name, server, ...(mac && { mac }), consequence };
  deps.record({ kind: "foreign-dhcp", detail });
  const who = `${server}${mac ? ` (${mac})` : ""}`;
  deps.log.error(`Another DHCP server answers on ${deps.at.name}: ${who}. ${consequence}.`, detail);
}
