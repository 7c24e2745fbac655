// Starts a node's services: in their order, again where something changed that they read at their start, and the kubelet once
// more when it has what it lacked. Edge: systemd. Called by run-settle.ts.
import { dirname } from "node:path";
import { configFile, NODE_PATHS } from "../../server/contract/kubernetes/node-paths.ts";
import type { NodeContext } from "./context.ts";
import { decideKubelet } from "./kubelet-stage.ts";
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

/** What was there when the kubelet last began (kubelet-stage.ts). Kept in /run. */
const STAGE = `${dirname(NODE_PATHS.apiServerConfig)}/kubelet-stage`;

/** A kubelet that runs has read what is replaced now: it begins once more, unless the node works with it. */
export function beginKubeletAnew(): void {
  if (readText(STAGE) !== undefined) writeFiles([configFile(STAGE, "0")]);
}

/** The stage is noted after the restart: cut in between, or refused by systemd, the next pass does it once more. */
async function renewKubelet(context: NodeContext): Promise<void> {
  const step = decideKubelet(kubeletFacts(context));
  if (step.kind === "register") {
    context.deps.log.info("Restarts kubelet: the cluster's API knows no such node, and only a start registers it.");
  }
  if (step.kind === "restart" || step.kind === "register") {
    const fault = await systemctl(context.deps.run, "restart", ["kubelet"], false);
    noteStarted(context, "kubelet");
    if (fault !== undefined) return context.tell.once("restart kubelet", `${fault}; tried again.`);
    context.tell.over("restart kubelet");
    if (step.kind === "register") context.unknownSinceMs = undefined;
  }
  if ("stage" in step) writeFiles([configFile(STAGE, String(step.stage))]);
}

function kubeletFacts({ deps, hasApiAnswered, apiAnsweredMs, runsControllers, isReady, unknownSinceMs }: NodeContext) {
  const since = (ms: number | undefined) => (ms === undefined ? undefined : performance.now() - ms);
  return {
    isControlPlane: deps.config.controlPlane !== undefined,
    ...{ hasApiAnswered, answeredForMs: since(apiAnsweredMs), runsControllers },
    hasCertificate: readText(KUBELET_CERTIFICATE) !== undefined,
    ...{ noted: readText(STAGE), isReady, unknownForMs: since(unknownSinceMs) },
  };
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
