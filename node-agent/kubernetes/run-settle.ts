// Brings a node to what its config says, as often as asked: disk, certificates, files, services. It looks at what is, changes
// what differs, and may be cut anywhere. Edge: the system. Called by run-node.ts at each look.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { planCertificates } from "../../server/contract/kubernetes/certificates.ts";
import { renderCniConfig } from "../../server/contract/kubernetes/containerd.ts";
import type { EtcdStart } from "../../server/contract/kubernetes/etcd.ts";
import { chooseNodeIp, type NodeFacts } from "../../server/contract/kubernetes/node-facts.ts";
import { configFile, NODE_PATHS, type NodeFile, secretFile } from "../../server/contract/kubernetes/node-paths.ts";
import { type KubernetesObject, renderPodList, staticPods } from "../../server/contract/kubernetes/static-pod.ts";
import type { CertificateAndKey } from "../../server/contract/machine-config/node-config.ts";
import { generateKey } from "../../server/contract/pki/key.ts";
import { apiServers } from "./balancer.ts";
import type { NodeContext, Settled } from "./context.ts";
import { type Issued, type IssueSource, issueCertificates } from "./issue-certificates.ts";
import { renewKubeletCertificate } from "./kubelet-certificate.ts";
import { nodeDirectories, nodeFiles, podVersions, VAR_LINKS } from "./node-files.ts";
import type { Surroundings } from "./port.ts";
import { makeDirectories, makeLinks, pointAt, readEtcdData, readText, writeFiles } from "./run-files.ts";
import { NO_VERSION, readKubernetesVersion } from "./run-images.ts";
import { KUBELET_CERTIFICATE } from "./run-observe.ts";
import { beginKubeletAnew, servicesToRun, startAll, startServices } from "./run-services.ts";
import { ephemeralService, planServices } from "./services.ts";
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
  context.kubernetesVersion ??= readKubernetesVersion();
  if (context.kubernetesVersion === undefined) return NO_VERSION;
  const mounted = await mountEphemeral(context);
  if (mounted !== undefined) return mounted;
  noteAnswer(context);
  const start = etcdStart(context);
  if (!isDue(context, { around, start })) return undefined;
  makeDirectories(nodeDirectories(deps.config));
  makeLinks(VAR_LINKS);
  giveKubeletCertificate(context);
  const settled = decide(context, around, nodeIp);
  const { facts } = settled;
  const versions = podVersions(writeNode(context, around, settled));
  pods?.setPods(renderPodList(podsToRun(context, staticPods(deps.config, { ...facts, versions }, nodeIp))));
  const { config, ephemeralDevice } = deps;
  const all = planServices({ config, facts, nodeIp, ephemeralDevice, etcdStart: start });
  const services = servicesToRun(context, all);
  context.settled = { ...settled, services: services.map(({ name }) => name) };
  const fault = await startAll(context, services);
  context.lookedAtMs = fault === undefined ? performance.now() : undefined;
  return fault;
}

/** Rendering all costs seconds of an emulated processor: it is done when something changed, or is down, or rarely. */
const REPEAT_MS = 30_000;
const REPEAT_UNREADY_MS = 5000;
/** A pass that it lets begin counts only once it went through: one that a full disk ended is due again at the next look. */
export function isDue(
  context: NodeContext,
  { around, start }: { around: Surroundings; start: EtcdStart | undefined },
): boolean {
  const { addresses, resolvers, mtuBytes } = around;
  const { hasApiAnswered, runsControllers, kept } = context;
  const hasCertificate = existsSync(KUBELET_CERTIFICATE);
  const inputs = JSON.stringify([
    addresses,
    resolvers,
    mtuBytes,
    start,
    hasApiAnswered,
    runsControllers,
    hasCertificate,
    kept,
  ]);
  const isSame = inputs === context.inputs;
  context.inputs = inputs;
  const { lookedAtMs, isReady } = context;
  const repeatMs = isReady ? REPEAT_MS : REPEAT_UNREADY_MS;
  const isNow = !isSame || lookedAtMs === undefined || performance.now() - lookedAtMs > repeatMs;
  if (isNow) context.lookedAtMs = undefined;
  return isNow;
}

function writeNode(context: NodeContext, { mtuBytes }: Surroundings, { facts, plans, issued }: Settled): NodeFile[] {
  const { config } = context.deps;
  const { podCidr, servers } = context.kept;
  const hasNetwork = config.cluster.cni === "flannel" && podCidr !== undefined;
  const cni = hasNetwork ? renderCniConfig(podCidr, mtuBytes) : undefined;
  const files = nodeFiles({ config, facts, plans, issued, servers: apiServers(config, servers), cni });
  writeFiles(files);
  return files;
}

/** Remembers in /run that the API has answered since the machine started: a restarted agent takes nothing back. */
const ANSWERED = `${dirname(NODE_PATHS.apiServerConfig)}/api-has-answered`;

function noteAnswer(context: NodeContext): void {
  if (readText(ANSWERED) !== undefined) context.hasApiAnswered = true;
  else if (context.hasApiAnswered) writeFiles([configFile(ANSWERED, "")]);
}

/** The others end at once without an API server, and each end doubles the kubelet's wait: they come when it answers. */
const podsToRun = ({ hasApiAnswered }: NodeContext, pods: readonly KubernetesObject[]) =>
  hasApiAnswered ? pods : pods.filter(({ metadata }) => metadata.name === "kube-apiserver");

/** /var first: all that follows writes there. */
async function mountEphemeral(context: NodeContext): Promise<string | undefined> {
  const { ephemeralDevice } = context.deps;
  // Nothing unmounts it while the node is whole.
  if (context.isReady) return undefined;
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
  const { issued, renewed } = issueCertificates(plans, config.controlPlane, held, issueSource());
  const old = renewed.filter(({ name }) => held.has(name));
  if (old.length > 0) {
    context.deps.log.info(`Certificates renewed: ${old.map(({ name, reason }) => `${name} (${reason})`).join(", ")}.`);
  }
  return { facts, nodeIp, plans, issued, services: [] };
}

const issueSource = (): IssueSource => ({
  nowMs: Date.now(),
  serial: () => randomBytes(16),
  generateKey: () => generateKey("p256"),
});

/** Under the names that the kubelet's own store gives them (client-go, util/certificate: a dated file, and a link to it). */
function giveKubeletCertificate({ deps: { config, log } }: NodeContext): void {
  const { controlPlane, hostname } = config;
  if (controlPlane === undefined) return;
  const made = renewKubeletCertificate(hostname, controlPlane.ca, readText(KUBELET_CERTIFICATE), issueSource());
  if (made === undefined) return;
  const path = `${NODE_PATHS.kubeletPki}/kubelet-client-agent.pem`;
  writeFiles([secretFile(path, made.pem, 0)]);
  pointAt(KUBELET_CERTIFICATE, path);
  beginKubeletAnew();
  log.info(`Gave the kubelet its first certificate: ${made.reason}.`);
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
