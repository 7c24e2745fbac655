// A container node as a value: the OS image's own root under systemd-nspawn, with a network card on the rack's bridge, a
// /var of its own that outlives its power, and real tickets. Everything in it runs at native speed. Called by rack.ts.
// docs/lab.md says what stands in the way on a development machine, and what each line here is for.
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SlipwayError } from "../../server/contract/errors.ts";
import { isLegacy, makeGroups, readHierarchies, removeGroups } from "./cgroups.ts";
import {
  containerCommand,
  containerEnv,
  KERNEL_SETTINGS,
  labNetworkFile,
  SETTINGS_DIR,
  settingFile,
} from "./container-command.ts";
import { execInside, journalOf, leaderOf, mountInside, POWER_OFF } from "./container-process.ts";
import { imageRoot } from "./image-root.ts";
import { raiseInotifyLimits } from "./inotify.ts";
import type { LabMachine } from "./machine.ts";
import { type Bridge, type ExecResult, isOwnerAlive, type Lab, type Namespace, ownerMark } from "./namespace.ts";
import type { LabProcess } from "./namespace-process.ts";
import { openScratchFolder } from "./scratch-folder.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const NETWORK_FILE = join(ROOT, "boot-assets/image/rootfs/usr/lib/systemd/network/80-slipway.network");
/** Sparse; as a small system disk's EPHEMERAL. */
const VAR_BYTES = 16 * 2 ** 30;
/** nspawn's exit code when the guest restarts and somebody else is to start it again. */
const RESTART = 133;
const CGROUP_PREFIX = "slipway-lab-";

export type ContainerSettings = {
  mac: string;
  /** The appliance's `<dataDir>/assets`. */
  assetsDir: string;
  /** Asks the appliance for a ticket's text, one line; called at a power-on of a node that has no identity on its STATE. */
  ticket: () => Promise<string>;
  /** Path in the node → the host's file that it sees there instead; default none: the image as it is. */
  binds?: Readonly<Record<string, string>>;
};

/** Its power: `kill` is kill -9 of all its programs; what they had written to /var stays, as the host did not fall. */
export type Container = LabMachine & {
  readonly kind: "container";
  /** Its PID 1 as the host sees it; 0 while it is off. */
  leader(): number;
  /** Wipes its /var: as new. Only while it is off. */
  wipe(): void;
  /** Runs a program of the image inside; it has no shell. */
  exec(command: readonly string[], options?: { timeoutMs?: number; mayFail?: boolean }): Promise<ExecResult>;
  /** A file of the node as the host sees it. */
  path(inside: string): string;
  /** Its journal's last lines. */
  journal(lines?: number): string;
};

let count = 0;

/** Makes the node; it is off. Needs systemd-container and xfsprogs. */
export function makeContainer(lab: Lab, bridge: Bridge, settings: ContainerSettings): Container {
  const hierarchies = readHierarchies();
  removeGroups(hierarchies, (name) => isStaleGroup(name));
  const restoreInotify = raiseInotifyLimits();
  const group = `${CGROUP_PREFIX}${ownerMark()}-${count++}`;
  const { path: dir, remove: removeFiles } = openScratchFolder();
  for (const name of ["root", "var", "run", "settings"]) mkdirSync(join(dir, name));
  writeFileSync(join(dir, "80-slipway.network"), labNetworkFile(readFileSync(NETWORK_FILE, "utf8")));
  for (const [name, value] of Object.entries(KERNEL_SETTINGS)) {
    writeFileSync(join(dir, "settings", settingFile(name)), `${value}\n`);
  }
  const node = new ContainerNode({ lab, bridge, settings, dir, group, hierarchies });
  node.wipe();
  return Object.assign(node, {
    close: async () => {
      await node.kill();
      restoreInotify();
      removeFiles();
    },
  });
}

function isStaleGroup(name: string): boolean {
  const owner = /^slipway-lab-(\d+-\d+)-\d+$/.exec(name)?.[1];
  return owner !== undefined && !isOwnerAlive(owner);
}

type NodeDeps = {
  lab: Lab;
  bridge: Bridge;
  settings: ContainerSettings;
  dir: string;
  group: string;
  hierarchies: ReturnType<typeof readHierarchies>;
};

class ContainerNode implements Omit<Container, "close"> {
  readonly kind = "container";
  readonly mac: string;
  poweredOnAt = 0;
  readonly #deps: NodeDeps;
  #process: LabProcess | undefined;
  #leader = 0;
  #ns: Namespace | undefined;
  /** Set while somebody else ends it: a guest's own restart is started again, a power cut is not. */
  #isEnding = false;
  #gone: Promise<unknown> = Promise.resolve();

  constructor(deps: NodeDeps) {
    this.#deps = deps;
    this.mac = deps.settings.mac;
  }

  leader = () => this.#leader;
  isOn = () => this.#leader !== 0;
  path = (inside: string) => join(`/proc/${this.#leader}/root`, inside);
  journal = (lines = 40) => journalOf(this.#leader, lines);
  lastWords = () => this.journal();

  async powerOn(): Promise<void> {
    if (this.#process !== undefined) return;
    const { lab, dir, settings, hierarchies, group } = this.#deps;
    const machine = `lab-${settings.mac.replaceAll(":", "").slice(-6)}`;
    const legacy = isLegacy(hierarchies);
    const files = {
      ...{ dir, rootFile: imageRoot(settings.assetsDir).file, varFile: join(dir, "var.img") },
      groupFiles: makeGroups(hierarchies, group),
    };
    this.#ns = this.#plugIn(machine);
    const { mac, binds = {} } = settings;
    const command = containerCommand({ ns: this.#ns, machine, mac, isLegacy: legacy, binds }, files);
    this.#isEnding = false;
    this.poweredOnAt = Date.now();
    const nspawn = lab.spawnHere(command, { env: containerEnv(legacy) });
    this.#process = nspawn;
    this.#gone = nspawn.ended().then((code) => this.#ended(code, machine));
    try {
      await this.#bringUp(nspawn);
    } catch (error) {
      // No appliance to give a ticket, or killed meanwhile: it is off again, and may be switched on anew.
      this.#isEnding = true;
      await nspawn.stop();
      await this.#gone;
      throw error;
    }
  }

  async #bringUp(nspawn: LabProcess): Promise<void> {
    const { settings, hierarchies } = this.#deps;
    const [answer] = await nspawn.waitFor(/^(has-identity|needs-ticket)$/m, 15_000);
    if (answer === "needs-ticket") nspawn.write(`${(await settings.ticket()).trim()}\n`);
    this.#leader = await leaderOf(nspawn);
    for (const { controllers, path } of hierarchies) {
      if (controllers.length > 0) mountInside(this.#leader, ["-o", "remount,bind,rw,nosuid,nodev,noexec", path]);
    }
    for (const name of Object.keys(KERNEL_SETTINGS)) {
      mountInside(this.#leader, ["--bind", join(SETTINGS_DIR, settingFile(name)), join("/proc/sys", name)]);
    }
  }

  /** A card on the bridge, in a new namespace: what the last run left in the kernel (addresses, rules, tunnels) is gone. */
  #plugIn(machine: string): Namespace {
    const { lab, bridge, settings } = this.#deps;
    const ns = lab.namespace(machine);
    lab.link(ns, "eth0", bridge);
    lab.setMac(ns, "eth0", settings.mac);
    return ns;
  }

  async #ended(code: number, machine: string): Promise<void> {
    const { lab, dir, hierarchies, group } = this.#deps;
    appendFileSync(join(dir, "console"), this.#process?.stdout() ?? "");
    this.#leader = 0;
    this.#process = undefined;
    if (this.#ns !== undefined) lab.dropNamespace(this.#ns);
    removeGroups(hierarchies, (name) => name === group);
    rmSync(`/run/systemd/nspawn/propagate/${machine}`, { recursive: true, force: true });
    if (code === RESTART && !this.#isEnding) await this.powerOn();
  }

  async powerOff(): Promise<void> {
    if (!this.isOn()) return;
    this.#isEnding = true;
    process.kill(this.#leader, POWER_OFF);
    const timer = setTimeout(() => void this.kill(), 60_000);
    await this.#gone.finally(() => clearTimeout(timer));
  }

  async kill(): Promise<void> {
    this.#isEnding = true;
    if (this.isOn()) process.kill(this.#leader, "SIGKILL");
    else await this.#process?.stop();
    await this.#gone;
  }

  wipe(): void {
    if (this.isOn()) throw new SlipwayError("COMMAND_FAILED", `${this.mac} is on; its /var cannot be wiped`);
    const file = join(this.#deps.dir, "var.img");
    writeFileSync(file, "", { mode: 0o600 });
    truncateSync(file, VAR_BYTES);
    execFileSync("mkfs.xfs", ["-q", "-f", file]);
  }

  exec = (command: readonly string[], options: { timeoutMs?: number; mayFail?: boolean } = {}) =>
    execInside(this.#deps.lab, this.#leader, command, options);
}
