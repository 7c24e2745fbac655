// The rack's cabling: network namespaces, veth cables, bridges and taps, so that a test runs real DHCP peers and virtual
// machines without touching an interface of the host. Used by all integration tests and by the VM lab. Needs root.
// Everything lives inside namespaces named slipway-<prefix>-<pid>-<start time>-<n>-<name>: a run that was killed hard is
// recognised by its dead pid and cleared away by the next one, pid reuse included.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { SlipwayError } from "../../server/contract/errors.ts";
import { type LabProcess, spawnInNamespace, spawnProcess } from "./namespace-process.ts";

/** Full name of a network namespace, as `ip netns` lists it. */
export type Namespace = string;
/** A bridge and the namespace that it and its taps live in; QEMU runs in that namespace. */
export type Bridge = { ns: Namespace; name: string };
export type ExecOptions = { timeoutMs?: number; env?: NodeJS.ProcessEnv; input?: string; mayFail?: boolean };
export type ExecResult = { code: number; stdout: string; stderr: string };

export type Lab = {
  /** Makes a namespace with its loopback up and without IPv6. */
  namespace(name: string): Namespace;
  /** Makes a bridge (no STP, no forward delay) in the lab's switch namespace. */
  bridge(name: string): Bridge;
  /** Lays a cable from `nsA` to a bridge, or to `ifB` in `nsB`. Both ends come up. */
  link(nsA: Namespace, ifA: string, to: Bridge): void;
  link(nsA: Namespace, ifA: string, nsB: Namespace, ifB: string): void;
  /** Makes a tap on a bridge for a VM started in `bridge.ns`; returns its interface name. */
  tap(bridge: Bridge, name: string): string;
  /** Gives an interface an address: `192.0.2.1/24`. */
  address(ns: Namespace, name: string, cidr: string): void;
  /** Gives an interface another MAC address; it must be down or a veth. */
  setMac(ns: Namespace, name: string, mac: string): void;
  /** Ends what runs in a namespace and removes it, its interfaces and all their state with it. */
  dropNamespace(ns: Namespace): void;
  /** Pulls the cable at this end (`down` takes the carrier from the peer too) or puts it back. */
  setLink(ns: Namespace, name: string, state: "up" | "down"): void;
  /** Runs a command inside to its end. Throws COMMAND_FAILED on a status other than 0, unless `mayFail`. */
  exec(ns: Namespace, command: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Starts a command inside; it ends with the lab at the latest. */
  spawn(ns: Namespace, command: readonly string[], options?: { env?: NodeJS.ProcessEnv }): LabProcess;
  /** Starts a command in the host's own namespaces (what makes its own); it ends with the lab at the latest. */
  spawnHere(command: readonly string[], options?: { env?: NodeJS.ProcessEnv }): LabProcess;
  /** Ends what was started inside, then removes all namespaces. Safe to call twice. */
  close(): Promise<void>;
};

const open = new Set<{ removeNow(): void }>();
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"] }).toString();

/** Start time of a process in clock ticks, undefined when there is none: tells a living owner from a reused pid. */
function startTimeOf(pid: number): string | undefined {
  try {
    // The second field is the name in brackets and may hold spaces; the start time is field 22.
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")[19];
  } catch {
    return undefined;
  }
}

/** This process as a name in files and directories of the lab: `<pid>-<start time>`. */
export const ownerMark = (): string => `${process.pid}-${startTimeOf(process.pid)}`;

/** Whether the process with this mark still runs. */
export function isOwnerAlive(mark: string): boolean {
  const [pid, startTime] = mark.split("-");
  return startTimeOf(Number(pid)) === startTime;
}

function removeNamespace(ns: Namespace): void {
  for (const pid of pidsIn(ns)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  // Another run of ours may be faster at clearing a stale one.
  attempt(() => pullCables(ns));
  attempt(() => ip("netns", "del", ns));
}

/**
 * A namespace lives on while a mount of it is somewhere: every container node that was started meanwhile has a copy of
 * /run/netns. With its cable still on the bridge it would answer for its successor of the same MAC and address.
 */
function pullCables(ns: Namespace): void {
  for (const [, name] of ip("-n", ns, "-o", "link", "show", "type", "veth").matchAll(/^\d+: ([^@:]+)/gm)) {
    // A pod's cable goes by itself when its other end does, and these are ending now.
    attempt(() => ip("-n", ns, "link", "del", name!));
  }
}

/** What is gone already needs no removing. */
function attempt(remove: () => void): void {
  try {
    remove();
  } catch {
    // It is gone.
  }
}

function pidsIn(ns: Namespace): number[] {
  try {
    return ip("netns", "pids", ns).split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Removes what runs of dead processes left behind; never touches a namespace that is not ours. */
export function removeStaleNamespaces(): Namespace[] {
  let names: string[] = [];
  try {
    names = readdirSync("/run/netns");
  } catch {
    // No namespace was ever made on this machine.
  }
  const stale = names.filter((name) => {
    const owner = /^slipway-[a-z0-9]+-(\d+-\d+)-/.exec(name)?.[1];
    return owner !== undefined && !isOwnerAlive(owner);
  });
  stale.forEach(removeNamespace);
  return stale;
}

let opened = 0;
let hooked = false;
function hookExit(): void {
  if (hooked) return;
  hooked = true;
  const clearAll = () => {
    for (const lab of open) lab.removeNow();
  };
  process.on("exit", clearAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      // A program that ends itself on this signal still needs its rack until then; its exit clears the lab.
      if (process.listenerCount(signal) > 0) return;
      clearAll();
      process.kill(process.pid, signal);
    });
  }
}

/**
 * Opens a lab. Stale labs of dead processes are removed first; this one disappears with `close()`, on any exit, on SIGINT.
 *
 * @param prefix short name of the user, lower-case letters and digits: `dhcp`, `vm`.
 * @throws NO_PERMISSION unless root.
 */
export function openLab(prefix: string): Lab {
  if (process.getuid?.() !== 0) {
    throw new SlipwayError("NO_PERMISSION", "the lab makes network namespaces, which needs root");
  }
  removeStaleNamespaces();
  hookExit();
  return makeLab(`slipway-${prefix}-${ownerMark()}-${opened++}`);
}

function makeLab(base: string): Lab {
  const namespaces = new Set<Namespace>();
  const processes = new Set<LabProcess>();
  let cables = 0;
  const removeNow = () => {
    namespaces.forEach(removeNamespace);
    namespaces.clear();
    open.delete(self);
  };
  const self = { removeNow };
  open.add(self);

  const namespace = (name: string): Namespace => {
    const ns = `${base}-${name}`;
    ip("netns", "add", ns);
    namespaces.add(ns);
    ip("-n", ns, "link", "set", "lo", "up");
    ip("netns", "exec", ns, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 || true");
    return ns;
  };
  let switchNs: Namespace | undefined;
  const onBridge = (bridge: Bridge, name: string) => {
    ip("-n", bridge.ns, "link", "set", name, "master", bridge.name);
    ip("-n", bridge.ns, "link", "set", name, "up");
  };

  return {
    namespace,
    bridge(name) {
      switchNs ??= namespace("switch");
      ip("-n", switchNs, "link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0");
      ip("-n", switchNs, "link", "set", name, "type", "bridge", "mcast_snooping", "0");
      ip("-n", switchNs, "link", "set", name, "up");
      return { ns: switchNs, name };
    },
    link(nsA: Namespace, ifA: string, to: Bridge | Namespace, ifB?: string) {
      const end = typeof to === "string" ? { ns: to, name: ifB ?? ifA } : { ns: to.ns, name: `port${cables++}` };
      ip("link", "add", ifA, "netns", nsA, "type", "veth", "peer", "name", end.name, "netns", end.ns);
      ip("-n", nsA, "link", "set", ifA, "up");
      if (typeof to === "string") ip("-n", end.ns, "link", "set", end.name, "up");
      else onBridge(to, end.name);
    },
    tap(bridge, name) {
      ip("-n", bridge.ns, "tuntap", "add", "dev", name, "mode", "tap");
      onBridge(bridge, name);
      return name;
    },
    address: (ns, name, cidr) => void ip("-n", ns, "address", "add", cidr, "dev", name),
    setMac: (ns, name, mac) => void ip("-n", ns, "link", "set", name, "address", mac),
    dropNamespace: (ns) => {
      if (namespaces.delete(ns)) removeNamespace(ns);
    },
    setLink: (ns, name, state) => void ip("-n", ns, "link", "set", name, state),
    async exec(ns, command, options = {}) {
      const child = spawnInNamespace(ns, command, options);
      processes.add(child);
      const code = await child.ended(options.timeoutMs ?? 60_000);
      processes.delete(child);
      const result = { code, stdout: child.stdout(), stderr: child.stderr() };
      if (code !== 0 && options.mayFail !== true) {
        const said = (result.stderr + result.stdout).trim();
        throw new SlipwayError("COMMAND_FAILED", `${command.join(" ")} (in ${ns}) ended with ${code}: ${said}`);
      }
      return result;
    },
    spawn(ns, command, options = {}) {
      const child = spawnInNamespace(ns, command, options);
      processes.add(child);
      return child;
    },
    spawnHere(command, options = {}) {
      const child = spawnProcess(command, options);
      processes.add(child);
      return child;
    },
    async close() {
      await Promise.all([...processes].map((child) => child.stop()));
      removeNow();
    },
  };
}
