// Finds out what this machine is (netbooted, installed, a container), opens its memory accordingly, and joins the rooms to it.
// Edge. main.ts calls it once.
import { join } from "node:path";
import type { Facts, Neighbour } from "../server/contract/generated/agent.ts";
import { decideBootSource } from "./boot-source.ts";
import { systemClock } from "./clock-service.ts";
import { type DiskCalls, openDiskCalls } from "./install/open-disk-calls.ts";
import { findMountPoint, findOwnDisk, type OwnDisk } from "./install/read-own-disk.ts";
import { mountVolume, unmount } from "./install/run-mounts.ts";
import { isSlotWhole } from "./install/run-slot-check.ts";
import { openKubernetesNode } from "./kubernetes/run-node.ts";
import { type NodeStore, openNodeStore } from "./node/open-state.ts";
import { keepClock } from "./node/run-clock.ts";
import { runCommand } from "./node/run-command.ts";
import { openNode } from "./node/run-node.ts";
import { type Observer, observeNode } from "./observe.ts";
import type { Libc } from "./open-libc.ts";
import { isInContainer } from "./read-boot.ts";
import { openKernelLog } from "./read-kmsg.ts";
import { readAddresses } from "./read-nics.ts";
import { exists, readMountPoints } from "./read-sysfs.ts";
import { containerInstaller } from "./run-container-install.ts";
import { metalInstaller } from "./run-metal-install.ts";
import { openStore } from "./store.ts";
import type { ImageCheck, Power, World } from "./world.ts";

/** What main.ts knows by itself. */
export type WorldParts = Pick<
  World,
  "log" | "notify" | "version" | "bootId" | "startedMs" | "show" | "wait" | "chance" | "newId" | "pace"
> & {
  machine: Observer;
  /** /run/slipway */
  runDir: string;
  libc: Libc | undefined;
  neighbours(): Neighbour[];
};

/** udev loads drivers while the agent starts: a disk is looked for this long before the machine counts as netbooted. */
const DISK_WAIT_MS = 20_000;
const DISK_LOOK_MS = 500;
const MNT_DETACH = 2;
/** The manager answers at once; what it does then is its own. The program itself may be slow to start. */
const POWER_MS = 120_000;

/** Opens it. `close` waits for what still writes, after the signal. */
export async function openWorld(
  parts: WorldParts,
  signal: AbortSignal,
): Promise<{ world: World; close(): Promise<void> }> {
  const { machine, runDir, libc, log, wait } = parts;
  const isContainer = isInContainer(machine);
  const calls = await openDiskCalls().catch(() => undefined);
  const hasTicket = ["ticket.json", "identity.json"].some((name) => exists({ root: "/" }, join(runDir, name)));
  const own = hasTicket || isContainer ? undefined : await waitForOwnDisk(machine, calls, wait, signal);
  const bootSource = decideBootSource({ isContainer, hasTicket, hasOwnDisk: own !== undefined });
  const memory = await openMemory({ ...parts, isContainer, own, calls });
  const clock = systemClock(libc);
  const { nodeStore, keepDir } = memory;
  const keeper = keepClock({ clock, machine, store: nodeStore, isContainer, log, wait }, signal);
  const newId = parts.newId;
  // The endpoint is no address of the machine, although it is on its card for a while.
  let endpoint = "";
  const world: World = {
    ...parts,
    bootSource,
    store: openStore({ run: runDir, keep: keepDir, say: (text) => log.warn(text) }),
    nodeStore,
    stateFault: memory.fault,
    clock,
    clockRules: () => keeper.rules(),
    clockConfirmed: () => keeper.confirmed(),
    observe: () => withoutAddress(observeNode(machine, parts.neighbours()), endpoint),
    addresses: () => readAddresses().join(),
    // A container's kernel is its host's, and so is what it has to say.
    openKernelLog: (afterSeq) => (isContainer ? undefined : openKernelLog(afterSeq)),
    checkImage: async (until) => (own && calls ? checkImage(own, calls, until) : undefined),
    installer:
      isContainer && nodeStore !== undefined
        ? containerInstaller({
            store: nodeStore,
            varDir: join(machine.root, "var"),
            unmount: (dir) => unmountBelow(machine, calls, dir),
          })
        : metalInstaller({ machine, calls, newId, nowMs: () => clock.now(), closeState: memory.close }),
    power: systemPower,
    openNode: (node) => {
      endpoint = node.config.config.cluster.endpoint.host;
      const ephemeral = own?.partitions.EPHEMERAL?.partuuid;
      return openNode({
        ...node,
        ...{ machine, isContainer, libc, log, wait, clock: keeper, chance: parts.chance },
        uptimeMs: () => clock.uptimeMs(),
        run: runCommand,
        ephemeralDevice: ephemeral && `/dev/disk/by-partuuid/${ephemeral}`,
        openKubernetes: openKubernetesNode,
      });
    },
  };
  return { world, close: () => keeper.ended };
}

async function waitForOwnDisk(
  machine: Observer,
  calls: DiskCalls | undefined,
  wait: World["wait"],
  signal: AbortSignal,
): Promise<OwnDisk | undefined> {
  if (calls === undefined) return undefined;
  for (let waitedMs = 0; waitedMs <= DISK_WAIT_MS && !signal.aborted; waitedMs += DISK_LOOK_MS) {
    const own = await findOwnDisk(machine, calls);
    if (own !== undefined) return own;
    await wait(DISK_LOOK_MS, signal);
  }
  return undefined;
}

type Memory = {
  nodeStore: NodeStore | undefined;
  /** Where key and identity lie. */
  keepDir: string;
  fault: World["stateFault"];
  close(): void;
};

/** STATE: a directory in a container, a partition on metal, nothing on a netbooted machine. */
async function openMemory(
  parts: WorldParts & { isContainer: boolean; own: OwnDisk | undefined; calls: DiskCalls | undefined },
): Promise<Memory> {
  const { machine, runDir, isContainer, own, calls, log } = parts;
  const open = (dir: string) => openNodeStore(dir, (text) => log.warn(text));
  const none: Memory = { nodeStore: undefined, keepDir: runDir, fault: undefined, close: () => {} };
  if (isContainer) {
    const dir = join(machine.root, "var/lib/slipway/state");
    return { ...none, nodeStore: open(dir), keepDir: dir };
  }
  if (own === undefined || calls === undefined) return none;
  log.info(`Runs from ${own.disk}: ${own.reason}.`);
  const device = own.partitions.STATE?.device ?? "";
  const dir = join(runDir, "state");
  try {
    if (findMountPoint(machine, device) !== dir) await mountVolume("STATE", device, dir, calls);
    return { ...none, nodeStore: open(dir), keepDir: dir, close: () => unmount(dir, calls) };
  } catch (error) {
    const reason = `STATE of ${own.disk} cannot be opened: ${(error as Error).message}`;
    log.warn(reason);
    return { ...none, fault: { reason, remedy: "Install this machine anew: slipway install MAC." } };
  }
}

/** In the agent's own namespace: the kernel takes the system's mounts off when the directories under them go. */
function unmountBelow(machine: Observer, calls: DiskCalls | undefined, dir: string): void {
  for (const at of readMountPoints(machine, dir)) calls?.umount(at, MNT_DETACH);
}

async function checkImage(own: OwnDisk, calls: DiskCalls, signal: AbortSignal): Promise<ImageCheck | undefined> {
  const check = await isSlotWhole(own, calls, signal);
  if (signal.aborted) return undefined;
  if (check.kind === "whole") {
    const megabytes = (check.bytes / 1e6).toFixed(0);
    return { kind: "whole", text: `The image on ${own.disk} is whole: ${check.files} files, ${megabytes} MB.` };
  }
  const remedy = check.kind === "damaged" ? ` ${check.remedy}` : "";
  return { kind: check.kind, text: `The image on ${own.disk}: ${check.reason}.${remedy}` };
}

const systemPower: Power = { reboot: () => ask("reboot"), powerOff: () => ask("poweroff") };

async function ask(verb: "reboot" | "poweroff"): Promise<void> {
  const { code, stderr } = await runCommand("systemctl", ["--no-block", verb], POWER_MS);
  if (code !== 0) throw new Error(`systemctl ${verb}: ${stderr.trim() || `status ${code}`}`);
}

const withoutAddress = (facts: Facts, ip: string): Facts =>
  ip === ""
    ? facts
    : {
        ...facts,
        nics: facts.nics.map((nic) => ({
          ...nic,
          addresses: nic.addresses.filter((cidr) => cidr.split("/")[0] !== ip),
        })),
      };
