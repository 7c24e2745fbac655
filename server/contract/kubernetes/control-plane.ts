// kube-controller-manager and kube-scheduler: their arguments and files. Source: as api-server.ts. Pure.
import { stringify } from "yaml";
import type { ControlPlane, NodeConfig } from "../machine-config/node-config.ts";
import { renderArguments } from "./arguments.ts";
import { configFile, NODE_PATHS, type NodeFile, RUN_AS, secretFile } from "./node-paths.ts";

const managerSecret = (file: string): string => `${NODE_PATHS.controllerManagerSecrets}/${file}`;
const schedulerKubeconfig = `${NODE_PATHS.schedulerSecrets}/kubeconfig`;
const schedulerConfigPath = `${NODE_PATHS.schedulerConfig}/scheduler-config.yaml`;

export function controllerManagerArguments({ cluster }: NodeConfig, controlPlane: ControlPlane): string[] {
  const kubeconfig = managerSecret("kubeconfig");
  const ours = {
    "allocate-node-cidrs": String(cluster.cni !== "none"),
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "bind-address": "127.0.0.1",
    "cluster-cidr": cluster.podSubnet,
    "cluster-signing-cert-file": managerSecret("ca.crt"),
    "cluster-signing-key-file": managerSecret("ca.key"),
    "configure-cloud-routes": "false",
    controllers: "*,tokencleaner",
    // Its forty controllers ask for tokens one by one at the start: with 20 requests a second, its default, that takes 5 s.
    "kube-api-burst": "150",
    "kube-api-qps": "100",
    kubeconfig,
    "leader-elect": "true",
    profiling: "false",
    "root-ca-file": managerSecret("ca.crt"),
    "service-account-private-key-file": managerSecret("service-account.key"),
    "service-cluster-ip-range": cluster.serviceSubnet,
    "tls-min-version": "VersionTLS13",
    "use-service-account-credentials": "true",
  };
  return renderArguments(ours, controlPlane.controllerManager.extraArgs);
}

/** @param kubeconfig from kubeconfig.ts, with the certificate that certificates.ts plans. */
export function controllerManagerFiles({ ca, serviceAccountKey }: ControlPlane, kubeconfig: string): NodeFile[] {
  const mine = (file: string, text: string) => secretFile(managerSecret(file), text, RUN_AS.controllerManager);
  return [
    mine("ca.crt", ca.crt),
    mine("ca.key", ca.key),
    mine("service-account.key", serviceAccountKey),
    mine("kubeconfig", kubeconfig),
  ];
}

export function schedulerArguments(controlPlane: ControlPlane): string[] {
  const ours = {
    "authentication-kubeconfig": schedulerKubeconfig,
    "authentication-tolerate-lookup-failure": "false",
    "authorization-kubeconfig": schedulerKubeconfig,
    "bind-address": "127.0.0.1",
    config: schedulerConfigPath,
    "leader-elect": "true",
    profiling: "false",
    "tls-min-version": "VersionTLS13",
  };
  return renderArguments(ours, controlPlane.scheduler.extraArgs);
}

export function schedulerFiles(kubeconfig: string): NodeFile[] {
  const config = {
    apiVersion: "kubescheduler.config.k8s.io/v1",
    kind: "KubeSchedulerConfiguration",
    clientConnection: { kubeconfig: schedulerKubeconfig },
  };
  return [
    configFile(schedulerConfigPath, stringify(config)),
    secretFile(schedulerKubeconfig, kubeconfig, RUN_AS.scheduler),
  ];
}
