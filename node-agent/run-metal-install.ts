// Installs and resets on metal: puts together what the executor (install/) is given, and says its outcome in the agent's words.
// Edge. What the node keeps (config, identity, key, the last lease and time) goes to STATE within the install, so that a machine
// whose appliance is gone at its first boot from disk is a node already.
import { createPublicKey } from "node:crypto";
import type { InstallStep } from "../server/contract/generated/agent.ts";
import { keyFingerprint } from "../server/contract/pki/key.ts";
import { SLIPWAY_TAGS } from "./install/meta.ts";
import type { DiskCalls } from "./install/open-disk-calls.ts";
import { type InstallInput, runInstall, type StateFile } from "./install/run-install.ts";
import { runReset } from "./install/run-reset.ts";
import { STATE_NAMES } from "./node/open-state.ts";
import { readCards, readLease } from "./node/read-cards.ts";
import { formatInstall, formatLeases, formatSchema, formatTime } from "./node/state-files.ts";
import type { Observer } from "./observe.ts";
import type { Identity } from "./store.ts";
import type { Failed, Installed, Installer, InstallJob, Reset } from "./world.ts";

export type MetalDeps = {
  machine: Observer;
  /** undefined where the C library could not be loaded: nothing can be installed then. */
  calls: DiskCalls | undefined;
  newId(): string;
  nowMs(): number;
  /** Before a reset: nothing of STATE may be open. */
  closeState(): void;
};

/** The installer of a machine with disks. */
export const metalInstaller = (deps: MetalDeps): Installer => ({
  install: (job, report, signal) => install(deps, job, report, signal),
  reset: (id, identity, report, signal) => reset(deps, id, identity, report, signal),
});

const NO_LIBRARY: Failed = {
  kind: "failed",
  reason: "the C library could not be loaded, and disks cannot be changed without it",
  remedy: "Boot another version of Slipway OS; this image is damaged.",
};
const NO_OWNER: Failed = {
  kind: "failed",
  reason: "the appliance has told no owner's key, so no image could be checked",
  remedy: "See that the appliance has its identity (docs/recover-the-identity.md), then restart this machine.",
};

async function install(
  deps: MetalDeps,
  job: InstallJob,
  report: (step: InstallStep) => void,
  signal: AbortSignal,
): Promise<Installed> {
  const { machine, calls, newId } = deps;
  const holder = holderOf(job.identity);
  if (calls === undefined) return NO_LIBRARY;
  if (holder === undefined) return NO_OWNER;
  const { order, imageUrl, mayWipe } = job.order;
  const input: InstallInput = {
    ...{ machine, order, imageUrl, mayWipe, newId, holder },
    install: job.config.config.install,
    ownerPublicKey: job.identity.ownerPublicKey,
    stateFiles: stateFilesOf(deps, job),
    meta: metaOf(job.identity),
    libc: calls,
  };
  const outcome = await runInstall(input, report, signal);
  return outcome.kind === "failed" ? outcome : { kind: "installed", number: outcome.installNumber, disk: outcome.disk };
}

async function reset(
  { machine, calls, closeState }: MetalDeps,
  id: string,
  identity: Identity,
  report: (step: InstallStep) => void,
  signal: AbortSignal,
): Promise<Reset> {
  const holder = holderOf(identity);
  if (calls === undefined) return NO_LIBRARY;
  if (holder === undefined) return NO_OWNER;
  closeState();
  const outcome = await runReset(machine, holder, (step) => report({ ...step, order: id }), calls, signal);
  return outcome.kind === "failed" ? outcome : { kind: "reset" };
}

/** What the node writes itself as it runs: an install that is met again leaves them. */
const LIVING: ReadonlySet<string> = new Set(["network", "time"] satisfies (keyof typeof STATE_NAMES)[]);

/** Whose disk it is: the marker names owner and machine. */
function holderOf({ ownerPublicKey, machineId }: Identity): { owner: string; machine: string } | undefined {
  if (ownerPublicKey === "") return undefined;
  return { owner: keyFingerprint(createPublicKey(ownerPublicKey)), machine: machineId };
}

function stateFilesOf(
  { machine, nowMs }: MetalDeps,
  { order, installId, config, identity, key }: InstallJob,
): StateFile[] {
  const leases = Object.fromEntries(
    readCards(machine).flatMap((card) => {
      const lease = readLease(machine, card);
      return lease === undefined ? [] : [[card.mac, lease]];
    }),
  );
  const texts: Partial<Record<keyof typeof STATE_NAMES, string>> = {
    schema: formatSchema(),
    identity: `${JSON.stringify(identity, null, 2)}\n`,
    key,
    network: formatLeases(leases),
    time: formatTime(nowMs()),
    config: config.text,
    install: formatInstall({ order: order.order, installId }),
  };
  return Object.entries(texts).map(([name, text]) => ({
    path: `/${STATE_NAMES[name as keyof typeof STATE_NAMES]}`,
    name,
    bytes: Buffer.from(text),
    isLiving: LIVING.has(name),
  }));
}

/** What a node needs before STATE is open, and what a rescue finds when it cannot be. */
const metaOf = ({ ownerPublicKey, caCertificate, server }: Identity): ReadonlyMap<number, Uint8Array> =>
  new Map([
    [SLIPWAY_TAGS.ownerPublicKey, Buffer.from(ownerPublicKey)],
    [SLIPWAY_TAGS.applianceCa, Buffer.from(caCertificate)],
    [SLIPWAY_TAGS.applianceAddresses, Buffer.from(server)],
  ]);
