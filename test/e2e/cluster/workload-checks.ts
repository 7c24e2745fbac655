// What a person does with a new cluster, checked with the real kubectl: a workload that spans the nodes and whose pods reach
// each other by the Service's name across them, DNS, logs, exec, cp, port-forward, cordon, drain.
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { expect } from "vitest";
import { spawnProcess } from "../../lab/namespace-process.ts";
import type { ClusterRack } from "./cluster-rack.ts";
import { WORKLOAD } from "./cluster-rack.ts";

export type WebPod = { name: string; node: string; ip: string };

/** Applies the workload and waits for its rollout. @returns its pods, by node. */
export async function rollOut({ kubectl }: ClusterRack, timeoutMs: number): Promise<WebPod[]> {
  await kubectl(["apply", "-f", "-"], { input: WORKLOAD });
  const seconds = `${Math.round(timeoutMs / 1000)}s`;
  await kubectl(["rollout", "status", "deployment/web", `--timeout=${seconds}`], { timeoutMs: timeoutMs + 10_000 });
  const { stdout } = await kubectl(["get", "pods", "-l", "app=web", "-o", "json"]);
  const { items } = JSON.parse(stdout) as {
    items: { metadata: { name: string }; spec: { nodeName: string }; status: { podIP: string } }[];
  };
  return items.map((p) => ({ name: p.metadata.name, node: p.spec.nodeName, ip: p.status.podIP }));
}

/** From each pod: the Service's name leads to the pods of both nodes, and each pod reaches the other by its address. */
export async function checkAcrossNodes({ kubectl }: ClusterRack, pods: readonly WebPod[]): Promise<void> {
  const nodes = [...new Set(pods.map((pod) => pod.node))].sort();
  expect(nodes).toHaveLength(2);
  for (const { name } of pods) {
    const ask = "for i in $(seq 40); do timeout 5 wget -q -O - http://web.default.svc.cluster.local; done";
    const { stdout } = await kubectl(["exec", name, "--", "sh", "-c", ask]);
    expect([...new Set(stdout.trim().split("\n"))].sort()).toEqual(nodes);
    for (const other of pods.filter((pod) => pod.name !== name)) {
      const direct = await kubectl([
        "exec",
        name,
        "--",
        "timeout",
        "5",
        "wget",
        "-q",
        "-O",
        "-",
        `http://${other.ip}:8080`,
      ]);
      expect(direct.stdout.trim()).toBe(other.node);
    }
  }
}

/** Both replicas of CoreDNS answer, for Services and for what is not there. */
export async function checkDns({ kubectl }: ClusterRack, pod: WebPod): Promise<void> {
  const { stdout } = await kubectl(["get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { status: { podIP: string } }[] };
  expect(items).toHaveLength(2);
  for (const { status } of items) {
    const name = "kubernetes.default.svc.cluster.local";
    const answer = await kubectl(["exec", pod.name, "--", "nslookup", name, status.podIP]);
    expect(answer.stdout).toContain("10.96.0.1");
    const none = await kubectl(
      ["exec", pod.name, "--", "nslookup", "nothing.default.svc.cluster.local", status.podIP],
      {
        mayFail: true,
      },
    );
    expect(none.stdout + none.stderr).toMatch(/NXDOMAIN|can't find/i);
  }
}

/** kubectl's own ways into a pod. */
export async function checkKubectl(test: ClusterRack, pods: readonly WebPod[]): Promise<void> {
  const { kubectl, rack } = test;
  for (const { name, node } of pods) {
    expect((await kubectl(["logs", name])).stdout).toContain(`serving on ${node}`);
    expect((await kubectl(["exec", name, "--", "cat", "/www/index.html"])).stdout.trim()).toBe(node);
  }
  const [pod] = pods;
  const [there, back] = [rack.scratchFile("there"), rack.scratchFile("back")];
  writeFileSync(there, "a file on its way\n".repeat(10_000));
  await kubectl(["cp", there, `${pod!.name}:/tmp/file`]);
  await kubectl(["cp", `${pod!.name}:/tmp/file`, back]);
  expect(readFileSync(back).equals(readFileSync(there))).toBe(true);
  await checkPortForward(test, pod!);
}

async function checkPortForward({ rack, kubeconfigFile }: ClusterRack, pod: WebPod): Promise<void> {
  const env = { KUBECONFIG: kubeconfigFile, SLIPWAY_SOCKET: rack.adminSocket };
  const forward = spawnProcess(["./slipway", "kubectl", "port-forward", pod.name, ":8080"], { env });
  try {
    const [, port] = await forward.waitFor(/127\.0\.0\.1:(\d+) -> 8080/, 60_000);
    expect((await fetchText(Number(port))).trim()).toBe(pod.node);
  } finally {
    await forward.stop();
  }
}

const fetchText = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path: "/", timeout: 20_000 }, async (answer) => {
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part as Buffer);
      resolve(Buffer.concat(parts).toString());
    });
    outgoing.on("error", reject).end();
  });

/** A node is emptied and given back: cordon, drain, uncordon. */
export async function checkDrain({ kubectl }: ClusterRack, node: string, timeoutMs: number): Promise<void> {
  await kubectl(["cordon", node]);
  const { stdout } = await kubectl(["get", "node", node, "-o", "jsonpath={.spec.unschedulable}"]);
  expect(stdout).toBe("true");
  const drain = ["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", `--timeout=${timeoutMs / 1000}s`];
  await kubectl(drain, { timeoutMs: timeoutMs + 10_000 });
  const left = await kubectl(["get", "pods", "-l", "app=web", `--field-selector=spec.nodeName=${node}`, "-o", "name"]);
  expect(left.stdout.trim()).toBe("");
  await kubectl(["uncordon", node]);
}
