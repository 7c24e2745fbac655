// Brings a node to what its config says, as often as asked: disk, certificates, files, services. It looks at what is, changes
// what differs, and may be cut anywhere. Edge: the system. Called by run-node.ts at each look.
import { createHash, randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { planCertificates } from "../../server/contract/kubernetes/certificates.ts";
import { renderCniConfig } from "../../server/contract/kubernetes/containerd.ts";
import type { EtcdStart } from "../../server/contract/kubernetes/etcd.ts";
import { chooseNodeIp, type NodeFacts } from "../../server/contract/kubernetes/node-facts.ts";
import { configFile, NODE_PATHS, type NodeFile } from "../../server/contract/kubernetes/node-paths.ts";
import { type KubernetesObject, renderPodList, staticPods } from "../../server/contract/kubernetes/static-pod.ts";
import type { CertificateAndKey } from "../../server/contract/machine-config/node-config.ts";
import { generateKey } from "../../server/contract/pki/key.ts";
import { apiServers } from "./balancer.ts";
import type { NodeContext, Settled } from "./context.ts";
import { type Issued, issueCertificates, secretsVersion } from "./issue-certificates.ts";
import { nodeDirectories, nodeFiles } from "./node-files.ts";
import type { Surroundings } from "./port.ts";
import { makeDirectories, readEtcdData, readText, writeFiles } from "./run-files.ts";
import { importImages } from "./run-images.ts";
import { KUBELET_CERTIFICATE } from "./run-observe.ts";
import { readUnits, systemctl } from "./run-systemd.ts";
import { ephemeralService, planServices, restartKeyOf, type ServiceName, type ServicePlan } from "./services.ts";
import type { StaticPodService } from "./static-pod-service.ts";

/** One pass. What keeps it from going on is left in `context.setup`, in words. */
export async function settle(context: NodeContext, pods: StaticPodService | undefined): Promise<void> {
  const around = context.deps.surroundings();
  const ground = findGround(context, around);
  context.bootstrapObstacle = ground.kind === "obstacle" ? ground.reason : undefined;
  if (ground.kind === "obstacle") {
    if (context.settled === undefined) context.setup = ground.reason;
    return;
  }
  context.setup = await carryOut(context, around, ground.nodeIp, pods);
}

type Ground = { kind: "ground"; nodeIp: string } | { kind: "obstacle"; reason: string };
/** What everything else stands on. A running node keeps what it has: an address that goes for a while is no reason to stop. */
function findGround({ deps, settled }: NodeContext, around: Surroundings): Ground {
  if (!around.isClockSet) return { kind: "obstacle", reason: "its clock is not set" };
  const choice = chooseNodeIp(deps.config, { addresses: around.addresses } as NodeFacts);
  if (choice.kind === "address") return { kind: "ground", nodeIp: choice.ip };
  return settled === undefined
    ? { kind: "obstacle", reason: choice.reason }
    : { kind: "ground", nodeIp: settled.nodeIp };
}

async function carryOut(
  context: NodeContext,
  around: Surroundings,
  nodeIp: string,
  pods: StaticPodService | undefined,
): Promise<string | undefined> {
  const { deps } = context;
  const { config, run } = deps;
  context.kubernetesVersion ??= await askVersion(context);
  if (context.kubernetesVersion === undefined) return "the kubelet does not say its version: the OS image is damaged";
  const mounted = await mountEphemeral(context);
  if (mounted !== undefined) return mounted;
  makeDirectories(nodeDirectories(config));
  const settled = decide(context, around, nodeIp);
  const { facts } = settled;
  const { ephemeralDevice } = deps;
  noteAnswer(context);
  const all = planServices({ config, facts, nodeIp, ephemeralDevice, etcdStart: etcdStart(context) });
  const services = servicesToRun(context, all);
  const cni =
    config.cluster.cni === "flannel" && context.kept.podCidr !== undefined
      ? renderCniConfig(context.kept.podCidr, around.mtuBytes)
      : undefined;
  const { plans, issued } = settled;
  const files = nodeFiles({ config, facts, plans, issued, servers: apiServers(config, context.kept.servers), cni });
  writeFiles(files);
  const versions = { config: versionOf(files), secrets: secretsVersion(plans, issued) };
  pods?.setPods(renderPodList(podsToRun(context, staticPods(config, { ...facts, versions }, nodeIp))));
  const fault = await startServices(context, services);
  if (services.some(({ name }) => name === "kubelet")) await renewKubelet(context);
  context.settled = { ...settled, services: services.map(({ name }) => name) };
  if (fault !== undefined) return fault;
  if (context.hasImages) return undefined;
  const missing = await importImages(run, context.kubernetesVersion);
  context.hasImages = missing === undefined;
  return missing;
}

/** Remembers in /run that the API has answered since the machine started: a restarted agent takes nothing back. */
const ANSWERED = `${dirname(NODE_PATHS.apiServerConfig)}/api-has-answered`;

function noteAnswer(context: NodeContext): void {
  if (readText(ANSWERED) !== undefined) context.hasApiAnswered = true;
  else if (context.hasApiAnswered) writeFiles([configFile(ANSWERED, "")]);
}

/** How much was there when the kubelet last began: nothing, the API, the API and its own certificate. Kept in /run. */
const STAGE = `${dirname(NODE_PATHS.apiServerConfig)}/kubelet-stage`;

/**
 * A kubelet that begins without an API or a certificate fails in many places (its node's registration, CSINode), each with
 * waits that grow to 7 and 20 s, and it ends itself after two minutes. Begun again when it has both it is Ready in seconds.
 * Pods are not touched by that.
 */
async function renewKubelet(context: NodeContext): Promise<void> {
  const hasCertificate = readText(KUBELET_CERTIFICATE) !== undefined;
  const stage = context.hasApiAnswered ? (hasCertificate ? 2 : 1) : 0;
  const text = readText(STAGE);
  if (text !== undefined && Number(text) >= stage) return;
  writeFiles([configFile(STAGE, String(stage))]);
  if (text !== undefined && !context.isReady) await systemctl(context.deps.run, "restart", ["kubelet"], false);
}

/** The others end at once without an API server, and each end doubles the kubelet's wait: they come when it answers. */
const podsToRun = ({ hasApiAnswered }: NodeContext, pods: readonly KubernetesObject[]) =>
  hasApiAnswered ? pods : pods.filter(({ metadata }) => metadata.name === "kube-apiserver");

/**
 * What waits for the API. A worker's kubelet has nothing to do before. A control plane's must run the API server first, and
 * is better off without the balancer until then: a connection that is refused fails at once, but one that is taken and closed
 * is tried ten times, a second apart, by every request (client-go), and the API server's own pod waits behind two of these.
 */
function servicesToRun({ deps, hasApiAnswered }: NodeContext, services: readonly ServicePlan[]) {
  const waiting: ServiceName = deps.config.controlPlane === undefined ? "kubelet" : "slipway-balancer";
  return hasApiAnswered ? services : services.filter(({ name }) => name !== waiting);
}

async function askVersion({ deps }: NodeContext): Promise<string | undefined> {
  const { stdout } = await deps.run("kubelet", ["--version"], 20_000);
  return /v(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
}

/** /var first: all that follows writes there. */
async function mountEphemeral(context: NodeContext): Promise<string | undefined> {
  const { ephemeralDevice } = context.deps;
  return ephemeralDevice === undefined ? undefined : startServices(context, [ephemeralService(ephemeralDevice)]);
}

function decide(context: NodeContext, around: Surroundings, nodeIp: string): Settled {
  const { config, platform } = context.deps;
  const addresses = around.addresses.length === 0 ? (context.settled?.facts.addresses ?? []) : around.addresses;
  const facts: NodeFacts = {
    addresses,
    platform,
    kubernetesVersion: context.kubernetesVersion!,
    versions: { config: "", secrets: "" },
    resolvers: around.resolvers,
  };
  const plans = planCertificates(config, facts);
  const held = context.settled?.issued ?? readIssued(plans.map(({ name }) => name));
  if (config.controlPlane === undefined) return { facts, nodeIp, plans, issued: held, services: [] };
  const source = { nowMs: Date.now(), serial: () => randomBytes(16), generateKey: () => generateKey("p256") };
  const { issued, renewed } = issueCertificates(plans, config.controlPlane, held, source);
  const old = renewed.filter(({ name }) => held.has(name));
  if (old.length > 0) {
    context.deps.log.info(`Certificates renewed: ${old.map(({ name, reason }) => `${name} (${reason})`).join(", ")}.`);
  }
  return { facts, nodeIp, plans, issued, services: [] };
}

/** What an earlier start of the agent issued. */
function readIssued(names: readonly string[]): Issued {
  const held = new Map<string, CertificateAndKey>();
  for (const name of names) {
    const [crt, key] = [readText(`${NODE_PATHS.issued}/${name}.crt`), readText(`${NODE_PATHS.issued}/${name}.key`)];
    if (crt !== undefined && key !== undefined) held.set(name, { crt, key });
  }
  return held;
}

/**
 * Whether etcd may run, and how. With data it goes on with it. Without, only on the appliance's word that this node is the
 * first member; what else would begin a second cluster.
 */
function etcdStart({ deps, orders }: NodeContext): EtcdStart | undefined {
  if (deps.config.controlPlane === undefined) return undefined;
  const data = readEtcdData(NODE_PATHS.etcdData);
  if (data.kind !== "none") return { kind: "resume" };
  return orders?.bootstrapEtcd === true ? { kind: "bootstrap", token: deps.installId } : undefined;
}

/** Of what static pods read at their start: their configuration, not their certificates (secretsVersion has these). */
const STATIC_POD_FILES = [
  NODE_PATHS.apiServerConfig,
  NODE_PATHS.schedulerConfig,
  ...["ca.crt", "aggregator-ca.crt", "etcd-client-ca.crt", "encryptionconfig.yaml", "service-account.key"].map(
    (file) => `${NODE_PATHS.apiServerSecrets}/${file}`,
  ),
];
function versionOf(files: readonly NodeFile[]): string {
  const hash = createHash("sha256");
  for (const { path, text } of files)
    if (STATIC_POD_FILES.some((p) => path.startsWith(p))) hash.update(`${path}\0${text}\0`);
  return hash.digest("hex").slice(0, 16);
}

/** The image import and all pods need containerd, everything needs the disk; the others come up side by side. */
const AWAITED: readonly ServiceName[] = ["slipway-ephemeral", "containerd"];

/** Writes drop-ins, restarts what reads something new at its start, starts what does not run. @returns a fault, in words. */
async function startServices({ deps }: NodeContext, services: readonly ServicePlan[]): Promise<string | undefined> {
  const { run, log } = deps;
  const before = new Map(services.map(({ name, dropIn }) => [name, restartKeyOf(readText(dropIn.path))]));
  const written = writeFiles(services.map(({ dropIn }) => dropIn));
  if (written.length > 0) await run("systemctl", ["daemon-reload"], 30_000);
  const units = await readUnits(
    run,
    services.map(({ name }) => name),
  );
  for (const { name, restartKey } of services) {
    const old = before.get(name);
    const state = units[name]?.activeState ?? "inactive";
    const isUp = state === "active" || state === "activating" || state === "reloading";
    const verb = !isUp ? "start" : old !== undefined && old !== restartKey ? "restart" : undefined;
    if (verb === undefined || (verb === "restart" && name === "slipway-ephemeral")) continue;
    log.info(verb === "start" ? `Starts ${name}.` : `Restarts ${name}: what it reads at its start has changed.`);
    const fault = await systemctl(run, verb, [name], AWAITED.includes(name));
    if (fault !== undefined) return fault;
  }
  return undefined;
}
