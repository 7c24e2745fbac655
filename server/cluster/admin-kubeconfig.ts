// A kubeconfig for an administrator: a fresh key and a client certificate by the cluster's Kubernetes CA, in Kubernetes'
// group of masters. `slipway kubeconfig` asks. Sources: talos reference §4.4 (adminKubeconfig), §5.8. Pure: chance and time are
// arguments.

import { SlipwayError } from "../contract/errors.ts";
import { renderKubeconfig } from "../contract/kubernetes/kubeconfig.ts";
import type { SecretsBundle } from "../contract/machine-config/secrets-bundle.ts";
import { parseCertificatePem } from "../contract/pki/certificate.ts";
import { issueClusterLeaf } from "../contract/pki/cluster-certificate.ts";
import { generateKey, publicKeyOf } from "../contract/pki/key.ts";
import { formatTalosKey, parseTalosKey } from "../contract/pki/talos-key.ts";
import type { Cluster } from "./topology.ts";

export type KubeconfigOrder = {
  /** Default a year, as `cluster.adminKubeconfig.certLifetime`. */
  lifetimeMs?: number | undefined;
  /** A way to the API server past the endpoint: `https://127.0.0.1:16443`. */
  server?: string | undefined;
  /** Name or address that the server's certificate is checked for then; default the endpoint. */
  tlsServerName?: string | undefined;
};

export const DEFAULT_LIFETIME_MS = 8760 * 3_600_000;
/** The CA itself ends after ten years; a minute is what a hand can use. */
const LIMITS_MS = [60_000, 10 * 8760 * 3_600_000] as const;
/** Clocks of a laptop and an appliance differ. */
const BACKDATE_MS = 5 * 60_000;

/** @returns YAML with a private key: a secret. @throws BAD_REQUEST. */
export function adminKubeconfig(
  cluster: Cluster & { endpoint: string },
  bundle: SecretsBundle,
  order: KubeconfigOrder,
  source: { randomBytes: (count: number) => Uint8Array; nowMs: number },
): string {
  const { lifetimeMs = DEFAULT_LIFETIME_MS, server, tlsServerName } = order;
  if (lifetimeMs < LIMITS_MS[0] || lifetimeMs > LIMITS_MS[1])
    throw new SlipwayError(
      "BAD_REQUEST",
      `lifetime: must be from 1m to 87600h (ten years), found ${lifetimeMs / 1000} s`,
    );
  const key = generateKey("p256");
  const certificate = parseCertificatePem(bundle.certs.k8s.crt);
  const leaf = {
    publicKey: publicKeyOf(key),
    subject: { organizations: ["system:masters"], commonName: "admin" },
    purposes: ["client" as const],
  };
  const seconds = (ms: number) => new Date(Math.floor(ms / 1000) * 1000);
  const wanted = source.nowMs + lifetimeMs;
  const crt = issueClusterLeaf({ certificate, key: parseTalosKey(bundle.certs.k8s.key) }, leaf, {
    serial: source.randomBytes(16),
    notBefore: seconds(source.nowMs - BACKDATE_MS),
    // No leaf outlives its CA.
    notAfter: seconds(Math.min(wanted, certificate.notAfter.getTime())),
  });
  return renderKubeconfig({
    cluster: cluster.name,
    server: server ?? `https://${cluster.endpoint}:${cluster.port}`,
    ca: bundle.certs.k8s.crt,
    user: "admin",
    credential: { crt: crt.pem, key: formatTalosKey(key) },
    ...(server === undefined && tlsServerName === undefined
      ? {}
      : { tlsServerName: tlsServerName ?? cluster.endpoint }),
  });
}
