// A control plane node and a worker for the tests of this room, with text in place of keys where a golden file is written.

import type { NodeFacts } from "../../../../server/contract/kubernetes/node-facts.ts";
import type { NodeConfig } from "../../../../server/contract/machine-config/node-config.ts";
import { BUNDLE, controlPlaneText, nodeConfigFrom, workerText } from "../machine-config/sample.ts";

export const controlPlane = (lines: { machine?: string; cluster?: string } = {}) =>
  nodeConfigFrom(controlPlaneText(lines)) as NodeConfig & { controlPlane: NonNullable<NodeConfig["controlPlane"]> };
export const worker = (lines: { machine?: string; cluster?: string } = {}) => nodeConfigFrom(workerText(lines));

export const facts = (more: Partial<NodeFacts> = {}): NodeFacts => ({
  addresses: ["192.0.2.7", "192.0.2.5", "198.51.100.7"],
  platform: "metal",
  kubernetesVersion: "1.37.2",
  versions: { config: "7", secrets: "3" },
  resolvers: ["192.0.2.1"],
  ...more,
});

/** Keys and tokens differ from run to run. */
export function withoutSecrets(text: string): string {
  const { secrets } = BUNDLE;
  const [id, secret] = secrets.bootstrapToken.split(".") as [string, string];
  return text
    .replaceAll(secrets.bootstrapToken, "<token>")
    .replaceAll(id, "<token id>")
    .replaceAll(secret, "<token secret>")
    .replaceAll(secrets.secretboxEncryptionSecret, "<secretbox key>")
    .replace(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g, "<$1>")
    .replace(/LS0tLS1CRUdJTi[A-Za-z0-9+/=]+/g, "<pem>");
}
