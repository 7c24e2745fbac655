// A rack with a cluster on it, for tests: made and used as the documentation says, with the real CLI and the real kubectl
// through a forwarded loopback port. The workload image is imported before the nodes get their configs.
import { writeFileSync } from "node:fs";
import { type ClusterSettings, type LabCluster, makeCluster } from "../../lab/cluster.ts";
import type { ClusterShape } from "../../lab/cluster-shape.ts";
import { type Forward, forwardPort } from "../../lab/forward.ts";
import { type Cli, type CliOptions, type CliResult, openCli } from "../../lab/run-cli.ts";
import { WORKLOAD_IMAGE, writeWorkloadImage } from "../../lab/workload-image.ts";
import { openTestRack, type TestRack } from "../test-rack.ts";

export type ClusterRack = {
  rack: TestRack;
  cluster: LabCluster;
  cli: Cli;
  /** The real kubectl, as administrator. */
  kubectl: (args: readonly string[], options?: CliOptions) => Promise<CliResult>;
  /** In order, and waited for. */
  stopAppliance(): Promise<void>;
  startAppliance(): Promise<void>;
  /** Where kubectl goes in. */
  kubeconfigFile: string;
  close(): Promise<void>;
};

/** Opens a rack and starts its appliance; machines are made by `makeMachine`, and are off. */
export async function openClusterRack(
  shape: ClusterShape,
  settings: (rack: TestRack) => Pick<ClusterSettings, "makeMachine" | "isSingle" | "isSlow">,
  prepare: (rack: TestRack) => void = () => {},
): Promise<ClusterRack> {
  const rack = await openTestRack({ dhcp: "server" });
  let forward: Forward | undefined;
  try {
    prepare(rack);
    let appliance = await rack.startAppliance();
    const cli = openCli(rack.adminSocket);
    const archive = rack.scratchFile("workload.tar");
    writeWorkloadImage(archive);
    await cli(["images", "import", archive]);
    const cluster = await makeCluster(rack.admin, { name: "test", shape, ...settings(rack) });
    forward = await forwardPort(rack.lab, rack.home, { host: cluster.endpoint, port: 6443 });
    const kubeconfigFile = rack.scratchFile("kubeconfig");
    writeFileSync(kubeconfigFile, await cluster.kubeconfig(`https://127.0.0.1:${forward.port}`), { mode: 0o600 });
    const kubectl: ClusterRack["kubectl"] = (args, options = {}) =>
      cli(["kubectl", ...args], {
        timeoutMs: 120_000,
        ...options,
        env: { KUBECONFIG: kubeconfigFile, ...options.env },
      });
    const close = async () => {
      await forward?.close();
      await rack.close();
    };
    return {
      ...{ rack, cluster, cli, kubectl, kubeconfigFile, close },
      stopAppliance: async () => void (await appliance.stop()),
      startAppliance: async () => {
        appliance = await rack.startAppliance();
      },
    };
  } catch (error) {
    await forward?.close();
    await rack.close();
    throw error;
  }
}

/**
 * A web server on every node: a two-replica Deployment that must spread, and a Service in front of it. Each answers with
 * the name of its node.
 */
export const WORKLOAD = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      tolerations: [{ key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule }]
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - { maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: { matchLabels: { app: web } } }
      containers:
        - name: web
          image: ${WORKLOAD_IMAGE}
          env: [{ name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }]
          command: ["/bin/sh", "-c", "echo $NODE > /www/index.html; echo serving on $NODE; exec httpd -f -p 8080 -h /www"]
          readinessProbe: { httpGet: { port: 8080, path: / }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
`;
