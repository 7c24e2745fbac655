// The DHCP service: composes leases and machines in memory, one runner per interface, and the watch on the interfaces.
// Called by server/main.ts. Interfaces come, go and change while it runs; a decision's rules are in reply.ts, mode.ts.
import { type Cidr, type Ipv4, type Mac, parseIpv4 } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import { AUTOEXEC } from "../boot/paths.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { getInterface, observeInterfaces, recentInterfaces, watchInterfaces } from "../observe.ts";
import { LeaseBook } from "./leases.ts";
import { ProbedAddresses } from "./probed-addresses.ts";
import { LogSample, RateLimit } from "./rate-limit.ts";
import { arpOf } from "./read-neighbours.ts";
import { RepeatedEvents } from "./repeated-events.ts";
import { type InterfaceRunner, type InterfaceStatus, runInterface } from "./run-interface.ts";
import type { DhcpInterfaceSettings } from "./served-subnets.ts";
import { type DhcpSocketProvider, defaultProvider } from "./socket.ts";

export type DhcpDeps = {
  interfaces: readonly DhcpInterfaceSettings[];
  inventory: Inventory;
  httpPort: number;
  log: Log;
  record: RecordEvent;
  /** How often a client fetched our iPXE in the last two minutes (BootService.loopCount). */
  loopCount: (mac: Mac) => number;
  /** Path without leading slash of the iPXE script that breaks a loop; default: the autoexec script. */
  loopPath?: string;
  /** Where sockets come from; default: systemd's, else our own. */
  provider?: DhcpSocketProvider;
};

export type DhcpService = {
  close(): Promise<void>;
  status(): { interfaces: readonly InterfaceStatus[] };
  /** Which machine was given an address that it still has; undefined when nobody was. */
  macOf(ip: Ipv4): Mac | undefined;
};

/** A socket that could not be opened later on (port taken while the interface was away) is tried again after this. */
const RETRY_MS = 5000;

/**
 * Serves DHCP on the named interfaces. Resolves when every interface that can be served now has its sockets; which mode it
 * took is said when it is known (10 s for one that has to look).
 *
 * @throws NO_INTERFACE for a name that does not exist, PORT_IN_USE, NO_PERMISSION; an AggregateError when there are several.
 *   An interface without address or carrier is no fault: it is told, and comes up by itself.
 */
export async function serveDhcp(deps: DhcpDeps): Promise<DhcpService> {
  const { inventory, log, interfaces } = deps;
  const all = observeInterfaces();
  throwTogether(interfaces.map(({ name }) => faultOf(() => void getInterface(name, all))));

  const book = new LeaseBook();
  const machines = new Map<Mac, Machine>();
  const stopMachines = await mirrorMachines(inventory, book, machines);
  const stopEndpoints = await mirrorEndpoints(inventory, book);
  const leases = await inventory.listLeases();
  book.load(leases);
  const networks = new Set(leases.map((lease) => lease.subnet));
  const ownIps = freshAddresses();
  const ctx = {
    ...{ inventory, machines, book, log, networks },
    httpPort: deps.httpPort,
    loopPath: deps.loopPath ?? AUTOEXEC,
    loopCount: deps.loopCount,
    record: deps.record,
    ownIps,
    macAt: (ip: Ipv4) => findHolder(book, networks, ip) ?? arpOf(ip),
    limit: new RateLimit(),
    sample: new LogSample(),
    repeated: new RepeatedEvents(),
    probed: new ProbedAddresses(),
    disk: { isFailing: false },
    provider: deps.provider ?? defaultProvider(),
  };
  const runners = new Map(interfaces.map((settings) => [settings.name, runInterface(ctx, settings)]));
  const retries = new Map<string, NodeJS.Timeout>();
  let isClosed = false;
  const close = async () => {
    isClosed = true;
    stopWatch();
    stopMachines();
    stopEndpoints();
    for (const timer of retries.values()) clearTimeout(timer);
    await Promise.all([...runners.values()].map((runner) => runner.close()));
  };

  const follow = (name: string, runner: InterfaceRunner) => {
    clearTimeout(retries.get(name));
    runner.update(observeInterfaces().find((one) => one.name === name)).catch((cause) => {
      for (const fault of faultsIn(cause))
        log.error(`${name}: ${fault instanceof Error ? fault.message : fault}; tried again every ${RETRY_MS / 1000} s`);
      if (isClosed) return;
      retries.set(name, setTimeout(follow, RETRY_MS, name, runner));
    });
  };
  const stopWatch = watchInterfaces([...runners.keys()], ({ name }) => follow(name, runners.get(name)!));

  const started = [...runners].map(([name, runner]) => runner.update(all.find((one) => one.name === name)));
  const failed = (await Promise.allSettled(started)).flatMap((r) =>
    r.status === "rejected" ? faultsIn(r.reason) : [],
  );
  if (failed.length > 0) {
    await close();
    throwTogether(failed);
  }
  return {
    close,
    status: () => ({ interfaces: [...runners.values()].map((runner) => runner.status()) }),
    macOf: (ip) => findHolder(book, networks, ip),
  };
}

/** All addresses of this box, those of interfaces that are not served included; listed anew when they were read anew. */
function freshAddresses(): () => readonly Ipv4[] {
  let [listedFrom, addresses]: [unknown, readonly Ipv4[]] = [undefined, []];
  return () => {
    const interfaces = recentInterfaces();
    if (interfaces !== listedFrom) {
      addresses = interfaces.flatMap((one) => one.addresses);
      listedFrom = interfaces;
    }
    return addresses;
  };
}

/** Keeps machines and their reservations in memory as the inventory has them. */
async function mirrorMachines(inventory: Inventory, book: LeaseBook, machines: Map<Mac, Machine>): Promise<() => void> {
  const macsOf = new Map<string, readonly Mac[]>();
  const forget = (id: string) => {
    for (const mac of macsOf.get(id) ?? []) if (machines.get(mac)?.id === id) machines.delete(mac);
    macsOf.delete(id);
  };
  const take = (machine: Machine) => {
    forget(machine.id);
    macsOf.set(machine.id, machine.macs);
    for (const mac of machine.macs) machines.set(mac, machine);
    book.setMachine(machine);
  };
  // Watch first, so that no change falls between the two.
  const stop = inventory.watchMachines((changed, deletedIds) => {
    for (const id of deletedIds) {
      forget(id);
      book.deleteMachine(id);
    }
    changed.forEach(take);
  });
  for (const machine of await inventory.listMachines()) if (!macsOf.has(machine.id)) take(machine);
  return stop;
}

/**
 * A cluster's endpoint is reserved for nobody, so that it is never given out: it was chosen outside the pool, and the pool's
 * settings may have changed since.
 */
async function mirrorEndpoints(inventory: Inventory, book: LeaseBook): Promise<() => void> {
  let kept: string[] = [];
  const take = async () => {
    const clusters = await inventory.listClusters();
    const wanted = clusters.flatMap(({ name, spec }) => {
      const address = parseIpv4(String(spec.endpoint ?? ""));
      return address === undefined ? [] : [{ id: `cluster ${name}`, address }];
    });
    const isWanted = new Set(wanted.map(({ id }) => id));
    for (const id of kept) if (!isWanted.has(id)) book.deleteMachine(id);
    for (const { id, address } of wanted) book.setMachine({ id, macs: [], address, lifecycle: "approved" });
    kept = [...isWanted];
  };
  const stop = inventory.watchClusters(() => void take().catch(() => {})); // Read anew at the next change.
  await take();
  return stop;
}

function findHolder(book: LeaseBook, networks: Iterable<Cidr>, ip: Ipv4): Mac | undefined {
  const now = Math.floor(Date.now() / 1000);
  for (const cidr of networks) {
    const lease = book.heldAt(cidr, ip)?.lease;
    if (lease?.state === "bound" && lease.expiresAt > now) return lease.mac;
  }
  return undefined;
}

const faultsIn = (cause: unknown): unknown[] => (cause instanceof AggregateError ? cause.errors : [cause]);

function faultOf(run: () => void): unknown {
  try {
    run();
    return undefined;
  } catch (cause) {
    return cause;
  }
}

/** One fault stays itself; several are thrown together, so that a person mends them in one go. */
function throwTogether(causes: readonly unknown[]): void {
  const faults = causes.filter((cause) => cause !== undefined);
  if (faults.length === 1) throw faults[0];
  if (faults.length > 1) throw new AggregateError(faults);
}
