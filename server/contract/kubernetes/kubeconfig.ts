// A kubeconfig for one user of one cluster. The control plane's programs, the kubelet's bootstrap and `slipway kubeconfig`
// are given one. Source: Kubernetes' v1 Config. Pure.
import { stringify } from "yaml";

/** PEM, or a bearer token, or files: these are read again when they change, so that a renewed certificate needs no restart. */
export type Credential = { crt: string; key: string } | { token: string } | { crtFile: string; keyFile: string };
export type KubeconfigParts = {
  cluster: string;
  /** URL. */
  server: string;
  /** PEM. */
  ca: string;
  user: string;
  credential: Credential;
  /** Context's name; `user@cluster` if absent, as Talos has it. */
  context?: string;
  /** The name that the server's certificate is checked for, where `server` is a way around it. */
  tlsServerName?: string;
  namespace?: string;
};

const base64 = (pem: string): string => Buffer.from(pem, "latin1").toString("base64");

/** YAML. It holds a secret. */
export function renderKubeconfig(parts: KubeconfigParts): string {
  const { cluster, server, ca, user, credential, tlsServerName, namespace } = parts;
  const context = parts.context ?? `${user}@${cluster}`;
  const userName = parts.context ?? context;
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: cluster,
          cluster: {
            server,
            ...(tlsServerName === undefined ? {} : { "tls-server-name": tlsServerName }),
            "certificate-authority-data": base64(ca),
          },
        },
      ],
      users: [{ name: userName, user: userOf(credential) }],
      contexts: [{ name: context, context: { cluster, namespace: namespace ?? "default", user: userName } }],
      "current-context": context,
    },
    { lineWidth: 0 },
  );
}

function userOf(credential: Credential): Record<string, string> {
  if ("token" in credential) return { token: credential.token };
  if ("crt" in credential) {
    return { "client-certificate-data": base64(credential.crt), "client-key-data": base64(credential.key) };
  }
  return { "client-certificate": credential.crtFile, "client-key": credential.keyFile };
}
