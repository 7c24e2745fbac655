// Starts a node's services: in their order, again where something changed that they read at their start, and the kubelet once
// more when it has what it lacked. Edge: systemd. Called by run-settle.ts.
import { dirname } from "node:path";
import { configFile, NODE_PATHS } from "../../server/contract/kubernetes/node-paths.ts";
import type { NodeContext } from "./context.ts";
import type { RunCommand } from "./port.ts";
import { differs, readText, removeFile, writeFiles } from "./run-files.ts";
import { importImages } from "./run-images.ts";
import { KUBELET_CERTIFICATE } from "./run-observe.ts";
import { readUnits, SYSTEMD_SILENT, systemctl } from "./run-systemd.ts";
import { SERVICE_ORDER, type ServiceName, type ServicePlan, startedWith } from "./services.ts";

/**
 * What waits for the API. A worker's kubelet has nothing to do before. A control plane's must run the API server first, and
 * is better off without the balancer until then: a connection that is refused fails at once, but one that is taken and closed
 * is tried ten times, a second apart, by every request (client-go), and the API server's own pod waits behind two of these.
 */
export function servicesToRun({ deps, hasApiAnswered }: NodeContext, services: readonly ServicePlan[]) {
  const waiting: ServiceName = deps.config.controlPlane === undefined ? "kubelet" : "slipway-balancer";
  return hasApiAnswered ? services : services.filter(({ name }) => name !== waiting);
}

/** The kubelet last: what it starts needs the images of the OS. */
export async function startAll(context: NodeContext, services: readonly ServicePlan[]): Promise<string | undefined> {
  // All drop-ins at once: a reload has systemd start a dozen programs.
  const unread = await reload(context.deps.run, services);
  if (unread !== undefined) return unread;
  const isKubelet = ({ name }: ServicePlan) => name === "kubelet";
  const fault = await startServices(
    context,
    services.filter((s) => !isKubelet(s)),
  );
  if (fault !== undefined) return fault;
  if (!context.hasImages) {
    const missing = await importImages(context.deps.run, context.kubernetesVersion!);
    if (missing !== undefined) return missing;
    context.hasImages = true;
  }
  const kubelet = services.filter(isKubelet);
  const unstarted = await startServices(context, kubelet);
  if (unstarted === undefined && kubelet.length > 0) await renewKubelet(context);
  return unstarted;
}

/** What was there when the kubelet last began (`stageOf`). Kept in /run. */
const STAGE = `${dirname(NODE_PATHS.apiServerConfig)}/kubelet-stage`;

/** A kubelet that runs has read what is replaced now: it begins once more, unless the node works with it. */
export function beginKubeletAnew(): void {
  if (readText(STAGE) !== undefined) writeFiles([configFile(STAGE, "0")]);
}

/**
 * How much a kubelet would find that began now: 0 no API, 1 the API, 2 also its certificate. One that begins without an API
 * fails in many places (registration, CSINode), with waits that grow to 7 and 117 s, and ends itself after two minutes; begun
 * again when all is there it is Ready in seconds. Pods are not touched by that. On a control plane node it first starts the
 * controller manager, which a Ready node needs too: a second start before would have that wait for it.
 */
function stageOf({ hasApiAnswered, deps, runsControllers, apiAnsweredMs }: NodeContext): number {
  if (!hasApiAnswered) return 0;
  const isLate = performance.now() - (apiAnsweredMs ?? 0) > CONTROLLERS_WITHIN_MS;
  if (deps.config.controlPlane !== undefined && !runsControllers && !isLate) return 0;
  return readText(KUBELET_CERTIFICATE) === undefined ? 1 : 2;
}
/** A kubelet that cannot start it is begun anew in any case. */
const CONTROLLERS_WITHIN_MS = 60_000;

async function renewKubelet(context: NodeContext): Promise<void> {
  const stage = stageOf(context);
  const text = readText(STAGE);
  if (text === undefined || Number(text) < stage) {
    writeFiles([configFile(STAGE, String(stage))]);
    if (text !== undefined && !context.isReady) await systemctl(context.deps.run, "restart", ["kubelet"], false);
  } else if (isForgotten(context)) {
    context.deps.log.info("Restarts kubelet: the cluster's API knows no such node, and only a start registers it.");
    await systemctl(context.deps.run, "restart", ["kubelet"], false);
  }
}

/**
 * A cluster that was begun anew, or somebody who deleted the Node of a machine that still is a member. Longer than a slow
 * machine's kubelet takes from its certificate to its registration: a start in between would begin all of that anew.
 */
const FORGOTTEN_MS = 300_000;
function isForgotten(context: NodeContext): boolean {
  if (context.unknownSinceMs === undefined || performance.now() - context.unknownSinceMs < FORGOTTEN_MS) return false;
  context.unknownSinceMs = undefined;
  return true;
}

/** The image import and all pods need containerd, everything needs the disk; the others come up side by side. */
const AWAITED: readonly ServiceName[] = ["slipway-ephemeral", "containerd"];

/**
 * Writes drop-ins, restarts what reads something new at its start, starts what does not run. The key of a start is noted after
 * it: cut in between, the next look does it once more.
 * @returns a fault, in words.
 */
export async function startServices(
  context: NodeContext,
  services: readonly ServicePlan[],
): Promise<string | undefined> {
  const { deps, tell } = context;
  const { run } = deps;
  writeFiles(services.flatMap(({ reads }) => reads ?? []));
  const unread = await reload(run, services);
  if (unread !== undefined) return unread;
  const units = context.units ?? (await readUnits(run, SERVICE_ORDER));
  if (units === undefined) return SYSTEMD_SILENT;
  context.units = units;
  for (const { name, restartKey } of services) {
    const isUp = UP.has(units[name]?.activeState ?? "inactive");
    const isSame = readText(startedWith(name)) === restartKey;
    // Pods live on what is mounted there: another disk takes a restart of the machine.
    if (isUp && (isSame || name === "slipway-ephemeral")) {
      tell.over(`start ${name}`);
      continue;
    }
    // A service that cannot be started is tried at each look, and told once.
    tell.once(`start ${name}`, isUp ? `Restarts ${name}: what it reads at its start has changed.` : `Starts ${name}.`);
    const fault = await systemctl(run, isUp ? "restart" : "start", [name], AWAITED.includes(name));
    if (fault !== undefined) return fault;
    noteStarted(context, name);
    writeFiles([configFile(startedWith(name), restartKey)]);
  }
  return undefined;
}

/** So that the rest of this turn does not start it again; how it really is the look at the turn's end shows. */
function noteStarted(context: NodeContext, name: ServiceName): void {
  const units = context.units ?? {};
  context.unitsSeenMs = undefined;
  const before = units[name] ?? { result: "", restarts: 0, startedAtMs: Date.now() };
  context.units = { ...units, [name]: { ...before, activeState: "activating", subState: "start" } };
}

const RELOAD_TIMEOUT_MS = 180_000;
/** Drop-ins that systemd has not read: a reload that failed, or was cut, is done again before anything is started. */
const UNREAD = `${dirname(NODE_PATHS.apiServerConfig)}/drop-ins-unread`;

async function reload(run: RunCommand, services: readonly ServicePlan[]): Promise<string | undefined> {
  const dropIns = services.flatMap(({ dropIn }) => dropIn ?? []);
  if (dropIns.some(differs)) writeFiles([configFile(UNREAD, "")]);
  writeFiles(dropIns);
  if (readText(UNREAD) === undefined) return undefined;
  const { code, stderr } = await run("systemctl", ["daemon-reload"], RELOAD_TIMEOUT_MS);
  if (code !== 0) return `systemctl daemon-reload: ${stderr.trim() || `status ${code}`}`;
  removeFile(UNREAD);
  return undefined;
}

const UP: ReadonlySet<string> = new Set(["active", "activating", "reloading"]);
