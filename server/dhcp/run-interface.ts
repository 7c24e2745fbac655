// One interface through its life: usable, lost, changed, back. Opens its sockets, pools and mode when it can be served and
// closes them when not; a lost interface comes up by itself. Called by service.ts.
import { randomInt } from "node:crypto";
import type { Cidr, Ipv4 } from "../../inventory/address.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import { SlipwayError } from "../contract/errors.ts";
import { readinessOf } from "../observe.ts";
import type { AnswerContext, Counters, LiveInterface } from "./answer-context.ts";
import { type ArpSocket, openArpSocket } from "./arp-socket.ts";
import type { ModeState } from "./mode.ts";
import { type PoolStatus, poolStatus } from "./pool-status.ts";
import { answerDatagram } from "./run-answer.ts";
import { type Arrivals, runArrivals } from "./run-arrivals.ts";
import { runMode } from "./run-mode.ts";
import { type DhcpInterfaceSettings, servedSubnets } from "./served-subnets.ts";
import { type DhcpSocket, type DhcpSocketProvider, openServerSocket } from "./socket.ts";
import { subnetKey } from "./subnet.ts";

export type InterfaceContext = AnswerContext & {
  inventory: AnswerContext["inventory"] & Pick<Inventory, "readMark" | "writeMark">;
  provider: DhcpSocketProvider;
  /** Networks that leases may belong to; grows with each pool that is opened. */
  networks: Set<Cidr>;
};

export type InterfaceStatus = {
  name: string;
  /** `off` by its settings; `waiting` while it cannot be served. */
  state: "off" | "waiting" | "starting" | ModeState["kind"];
  /** Why, in plain words. */
  reason: string;
  address?: Ipv4;
  foreignServer?: Ipv4;
  /** The networks it gives addresses in; empty while it gives none. */
  networks: readonly PoolStatus[];
  counters: Counters;
};

export type InterfaceRunner = {
  /**
   * Takes over the interface as it is now. Rejects with an AggregateError of PORT_IN_USE, NO_PERMISSION for each port that
   * cannot be opened.
   */
  update(at: ServedInterface | undefined): Promise<void>;
  status(): InterfaceStatus;
  /** Resolves when nothing of it is open, also when it was being opened just then. */
  close(): Promise<void>;
};

const MAX_PATIENCE_MS = 300_000;

type Usable = ServedInterface & { address: Ipv4 };
type Open = { live: LiveInterface; sockets: DhcpSocket[]; arrivals: Arrivals };

export function runInterface(ctx: InterfaceContext, settings: DhcpInterfaceSettings): InterfaceRunner {
  const { name } = settings;
  const counters: Counters = {
    ...{ received: 0, answered: 0, ignored: 0, malformed: 0, limited: 0, unsaved: 0, failed: 0 },
    ...{ dropped: 0, repeated: 0 },
  };
  let open: Open | undefined;
  /** Undefined until the first look; then why the interface cannot be served, or "" when it can. */
  let trouble: string | undefined;
  let queue: Promise<void> = Promise.resolve();
  let isClosed = false;

  const shut = () => {
    if (!open) return;
    open.live.mode.close();
    open.live.arp?.close();
    open.arrivals.close();
    for (const socket of open.sockets) socket.close();
    open = undefined;
  };

  const follow = async (at: ServedInterface | undefined) => {
    if (isClosed) return;
    const readiness = readinessOf(name, at);
    const before = trouble;
    if (readiness.kind === "lost") {
      shut();
      trouble = `${readiness.what}: ${readiness.remedy}`;
      if (before === trouble) return;
      ctx.record({ kind: "interface-lost", detail: { interface: name, what: readiness.what } });
      ctx.log.error(`${name} ${readiness.what}, so no machine is served there. To mend it: ${readiness.remedy}.`);
      return;
    }
    trouble = "";
    if (before !== undefined && before !== "") {
      ctx.record({ kind: "interface-back", detail: { interface: name } });
      ctx.log.info(`${name} is usable again (${at!.address}).`);
    }
    if (settings.dhcp === "off") return;
    if (open && needsNoReopening(open.live.at, at!)) {
      open.live.at = at as Usable;
      return;
    }
    shut();
    open = await openInterface(ctx, settings, at as Usable, counters);
  };

  return {
    update: (at) => {
      const turn = queue.then(() => follow(at));
      queue = turn.catch(() => {}); // The caller hears of it; the next change is followed all the same.
      return turn;
    },
    status: () => statusOf(ctx, settings, open, trouble, counters),
    async close() {
      isClosed = true;
      shut();
      await queue;
      shut();
    },
  };
}

/** Everything that sockets, pools and the mode hang on is the same; only MTU or the like changed. */
function needsNoReopening(a: ServedInterface, b: ServedInterface): boolean {
  const key = (one: ServedInterface) => JSON.stringify([one.index, one.mac, one.addresses, one.network?.cidr]);
  return key(a) === key(b);
}

async function openInterface(
  ctx: InterfaceContext,
  settings: DhcpInterfaceSettings,
  at: Usable,
  counters: Counters,
): Promise<Open> {
  const sockets: DhcpSocket[] = [];
  const arp = openArp(ctx, at);
  const subnets = servedSubnets(settings, at);
  for (const subnet of subnets) {
    ctx.book.openPool(subnet, ctx.ownIps());
    ctx.networks.add(subnetKey(subnet));
  }
  const { dhcp, force, gateway } = settings;
  let live: LiveInterface | undefined;
  const arrivals = runArrivals({
    ...{ interfaceName: at.name, counters, log: ctx.log, record: ctx.record },
    answer: async (arrival) => {
      if (live) await answerDatagram(ctx, live, arrival);
    },
  });
  const openPort = async (port: 67 | 4011) => {
    const socket: DhcpSocket = await openServerSocket({
      interfaceName: at.name,
      ip: at.address,
      port,
      provider: ctx.provider,
      heard: (bytes, from, isUnicast) => {
        arrivals.heard({ bytes, from, port, isUnicast: isUnicast || port === 4011, socket });
      },
      failed: (cause) => ctx.log.warn(`${at.name}: the socket on port ${port} failed`, { err: cause }),
    });
    sockets.push(socket);
  };
  const tries = await Promise.allSettled([openPort(67), openPort(4011)]);
  const faults = tries.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  if (faults.length > 0) {
    arrivals.close();
    for (const socket of sockets) socket.close();
    arp?.close();
    throw new AggregateError(faults);
  }
  const patienceMs = randomInt(MAX_PATIENCE_MS);
  const modeSettings = { dhcp: dhcp as Exclude<typeof dhcp, "off">, force, patienceMs };
  const mode = runMode({ ...ctx, at, settings: modeSettings, gateway, arp });
  live = { at, settings, subnets, mode, arp, counters, probes: new Map() };
  return { live, sockets, arrivals };
}

/** Without the right to ask by ARP the rest still works: said once, served on. */
function openArp(ctx: InterfaceContext, at: ServedInterface): ArpSocket | undefined {
  try {
    return openArpSocket(at);
  } catch (cause) {
    const why = cause instanceof SlipwayError ? cause.message : String(cause);
    ctx.log.warn(`${at.name}: addresses are offered without asking the wire for them first: ${why}`);
    return undefined;
  }
}

function statusOf(
  ctx: InterfaceContext,
  settings: DhcpInterfaceSettings,
  open: Open | undefined,
  trouble: string | undefined,
  counters: Counters,
): InterfaceStatus {
  const { name, dhcp } = settings;
  if (dhcp === "off") return { name, state: "off", reason: "dhcp: off in the settings", networks: [], counters };
  if (!open)
    return { name, state: "waiting", reason: trouble || "its sockets could not be opened", networks: [], counters };
  const { mode, at, subnets } = open.live;
  const foreign = mode.foreign()?.server;
  const { reason, ...permission } = mode.permission();
  const now = Math.floor(Date.now() / 1000);
  const networks = permission.mode === "server" ? subnets.map((subnet) => poolStatus(subnet, ctx.book, now)) : [];
  return {
    name,
    state: mode.kind(),
    reason,
    address: at.address,
    ...(foreign && { foreignServer: foreign }),
    networks,
    counters,
  };
}
