// A bundle with true keys and small configs around it, for the tests of this room and of the rooms that render for it.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { decodeMachineConfig } from "../../../../server/contract/machine-config/decode.ts";
import { type NodeConfig, nodeConfigOf } from "../../../../server/contract/machine-config/node-config.ts";
import {
  type CaPair,
  encodePem,
  generateSecretsBundle,
  type SecretsBundle,
} from "../../../../server/contract/machine-config/secrets-bundle.ts";
import { generateTalosKey, type TalosKeyKind } from "../../../../server/contract/pki/talos-key.ts";

/** RSA of 2048 bits: the real one takes seconds. */
const quickKey = (kind: TalosKeyKind) =>
  kind === "rsa4096" ? generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey : generateTalosKey(kind);

export const BUNDLE: SecretsBundle = generateSecretsBundle({
  randomBytes,
  generateKey: quickKey,
  now: new Date("2026-11-01T00:00:00Z"),
});

const pair = ({ crt, key }: CaPair) => `{crt: ${encodePem(crt)}, key: ${encodePem(key)}}`;

/** A control plane's config with all that must be there. `machine` and `cluster` are further lines, two spaces deep. */
export const controlPlaneText = ({ machine = "", cluster = "", documents = "" } = {}): string => `version: v1alpha1
machine:
  type: controlplane
  token: ${BUNDLE.trustdToken}
  ca: ${pair(BUNDLE.certs.os)}
${machine}cluster:
  id: ${BUNDLE.cluster.id}
  secret: ${BUNDLE.cluster.secret}
  controlPlane: {endpoint: "https://192.0.2.5:6443"}
  clusterName: rack1
  token: ${BUNDLE.secrets.bootstrapToken}
  secretboxEncryptionSecret: ${BUNDLE.secrets.secretboxEncryptionSecret}
  ca: ${pair(BUNDLE.certs.k8s)}
  aggregatorCA: ${pair(BUNDLE.certs.k8sAggregator)}
  serviceAccount: {key: ${encodePem(BUNDLE.certs.k8sServiceAccount.key)}}
  etcd: {ca: ${pair(BUNDLE.certs.etcd)}}
${cluster}---
apiVersion: v1alpha1
kind: HostnameConfig
hostname: cp-1
auto: off
${documents}`;

export const workerText = ({ machine = "", cluster = "" } = {}): string => `version: v1alpha1
machine:
  type: worker
  token: ${BUNDLE.trustdToken}
  ca: {crt: ${encodePem(BUNDLE.certs.os.crt)}, key: ""}
  network: {hostname: w-1}
${machine}cluster:
  controlPlane: {endpoint: "https://192.0.2.5:6443"}
  token: ${BUNDLE.secrets.bootstrapToken}
  ca: {crt: ${encodePem(BUNDLE.certs.k8s.crt)}, key: ""}
${cluster}`;

/** The faults of a text as lines `line:column: path: message`; empty when there are none. */
export function faultsOf(text: string): string[] {
  const decoded = decodeMachineConfig(text);
  if (decoded.kind === "config") return [];
  return decoded.faults.map((f) => `${f.line}:${f.column}: ${f.path}: ${f.message}`);
}

/** @throws when the text has faults. */
export function nodeConfigFrom(text: string): NodeConfig {
  const decoded = decodeMachineConfig(text);
  if (decoded.kind === "faults") throw new Error(faultsOf(text).join("\n"));
  return nodeConfigOf(decoded.config);
}
