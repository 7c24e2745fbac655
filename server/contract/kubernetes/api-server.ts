// kube-apiserver: its arguments and the files that they name. Source: talos reference §4.3 (defaults of audit, admission,
// encryption), §4.4; the arguments are Talos 1.13's, so that clients and audits find what they know. Pure.
import { stringify } from "yaml";
import type { ControlPlane, NodeConfig } from "../machine-config/node-config.ts";
import { renderArguments } from "./arguments.ts";
import { configFile, NODE_PATHS, type NodeFile, PORTS, RUN_AS, secretFile } from "./node-paths.ts";

/** TLS 1.2 stays allowed: this is the port that foreign clients come to. */
const CIPHERS = [
  ...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  ...["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
  ...["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"],
  ...["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
  ...["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"],
].join(",");

const secret = (file: string): string => `${NODE_PATHS.apiServerSecrets}/${file}`;
const config = (file: string): string => `${NODE_PATHS.apiServerConfig}/${file}`;

/** @param nodeIp what the `kubernetes` Service's endpoint says of this server. */
export function apiServerArguments({ cluster }: NodeConfig, controlPlane: ControlPlane, nodeIp: string): string[] {
  const { apiServer, apiServerPort } = controlPlane;
  // Who brings an own authorizer by arguments takes the flags instead of the file: the program refuses both.
  const byFlags = Object.keys(apiServer.extraArgs).some((f) => /^authorization-(mode|webhook-)/.test(f));
  const authorization: Record<string, string> = byFlags
    ? { "authorization-mode": "Node,RBAC" }
    : { "authorization-config": config("authorization-config.yaml") };
  const ours = { ...fixedArguments(), ...authorization, ...PROXY_ARGUMENTS };
  return renderArguments(
    {
      ...ours,
      "advertise-address": nodeIp,
      "api-audiences": cluster.endpoint.url,
      "secure-port": String(apiServerPort),
      "service-account-issuer": cluster.endpoint.url,
      "service-cluster-ip-range": cluster.serviceSubnet,
    },
    apiServer.extraArgs,
  );
}

const fixedArguments = (): Record<string, string> => ({
  "admission-control-config-file": config("admission-control-config.yaml"),
  "allow-privileged": "true",
  "anonymous-auth": "false",
  "audit-log-maxage": "30",
  "audit-log-maxbackup": "10",
  "audit-log-maxsize": "100",
  "audit-log-path": `${NODE_PATHS.auditLog}/kube-apiserver.log`,
  "audit-policy-file": config("auditpolicy.yaml"),
  "bind-address": "0.0.0.0",
  "client-ca-file": secret("ca.crt"),
  "enable-admission-plugins": "NodeRestriction",
  "enable-bootstrap-token-auth": "true",
  "encryption-provider-config": secret("encryptionconfig.yaml"),
  "etcd-cafile": secret("etcd-client-ca.crt"),
  "etcd-certfile": secret("etcd-client.crt"),
  "etcd-keyfile": secret("etcd-client.key"),
  "etcd-servers": `https://127.0.0.1:${PORTS.etcdClient}`,
  "kubelet-client-certificate": secret("apiserver-kubelet-client.crt"),
  "kubelet-client-key": secret("apiserver-kubelet-client.key"),
  "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
  profiling: "false",
  "service-account-key-file": secret("service-account.pub"),
  "service-account-signing-key-file": secret("service-account.key"),
  "tls-cert-file": secret("apiserver.crt"),
  "tls-cipher-suites": CIPHERS,
  "tls-min-version": "VersionTLS12",
  "tls-private-key-file": secret("apiserver.key"),
});

/** The aggregation layer. */
const PROXY_ARGUMENTS = {
  "proxy-client-cert-file": secret("front-proxy-client.crt"),
  "proxy-client-key-file": secret("front-proxy-client.key"),
  "requestheader-allowed-names": "front-proxy-client",
  "requestheader-client-ca-file": secret("aggregator-ca.crt"),
  "requestheader-extra-headers-prefix": "X-Remote-Extra-",
  "requestheader-group-headers": "X-Remote-Group",
  "requestheader-username-headers": "X-Remote-User",
};

/** PodSecurity as Talos's generator writes it, for a config that says nothing. */
const POD_SECURITY = {
  name: "PodSecurity",
  configuration: {
    apiVersion: "pod-security.admission.config.k8s.io/v1",
    kind: "PodSecurityConfiguration",
    defaults: {
      enforce: "baseline",
      "enforce-version": "latest",
      audit: "restricted",
      "audit-version": "latest",
      warn: "restricted",
      "warn-version": "latest",
    },
    exemptions: { usernames: [], runtimeClasses: [], namespaces: ["kube-system"] },
  },
};
const AUDIT_POLICY = { apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "Metadata" }] };
const AUTHORIZATION = {
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthorizationConfiguration",
  authorizers: [
    { type: "Node", name: "node" },
    { type: "RBAC", name: "rbac" },
  ],
};

/**
 * Every file beside the issued certificates.
 * @param serviceAccountPublicKey PEM, derived from the config's private key by whoever may compute.
 */
export function apiServerFiles(controlPlane: ControlPlane, serviceAccountPublicKey: string): NodeFile[] {
  const { apiServer, ca, aggregatorCa, etcdCa } = controlPlane;
  const plugins = apiServer.admissionPlugins ?? [POD_SECURITY];
  const admission = { apiVersion: "apiserver.config.k8s.io/v1", kind: "AdmissionConfiguration", plugins };
  const mine = (file: string, text: string) => secretFile(secret(file), text, RUN_AS.apiServer);
  return [
    configFile(config("admission-control-config.yaml"), stringify(admission)),
    configFile(config("auditpolicy.yaml"), stringify(apiServer.auditPolicy ?? AUDIT_POLICY)),
    configFile(config("authorization-config.yaml"), stringify(AUTHORIZATION)),
    mine("ca.crt", ca.crt),
    mine("aggregator-ca.crt", aggregatorCa.crt),
    mine("etcd-client-ca.crt", etcdCa.crt),
    mine("encryptionconfig.yaml", stringify(encryption(controlPlane.secretboxKey))),
    mine("service-account.key", controlPlane.serviceAccountKey),
    mine("service-account.pub", serviceAccountPublicKey),
  ];
}

/** Secrets are sealed in etcd; what was written before is still read. `key2` is Talos's name for the secretbox key. */
const encryption = (key: string) => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "EncryptionConfiguration",
  resources: [
    {
      resources: ["secrets"],
      providers: [{ secretbox: { keys: [{ name: "key2", secret: key }] } }, { identity: {} }],
    },
  ],
});
