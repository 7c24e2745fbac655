// Two container nodes of the real image, from nothing to a Service that spans both, through an agent's death and a power
// cut. No appliance: what it would say is given by the rig. Needs root and a full image in data/assets.
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRig, type Rig, type RigNode } from "./node-rig.ts";
import { TEST_IMAGE, testImage } from "./test-image.ts";

const ASSETS = join(import.meta.dirname, "../../../data/assets");
/** Generous: two cores may carry other work. Nothing here waits without a look. */
const READY_MS = 150_000;

let rig: Rig;
let cp: RigNode;
let worker: RigNode;
beforeAll(async () => {
  rig = await openRig(["cp-1", "w-1"], ASSETS);
  [cp, worker] = rig.nodes as [RigNode, RigNode];
  // The worker first: whatever comes before the control plane waits for it.
  await worker.container.powerOn();
  await cp.container.powerOn();
});
afterAll(() => rig?.close());

const kubectl = async (...args: string[]): Promise<string> => {
  const command = ["/usr/bin/kubectl", "--kubeconfig", "/run/slipway/secrets/admin/kubeconfig", ...args];
  return (await cp.container.exec(command)).stdout.trim();
};
/** Runs until it gives `wanted`. */
async function settles(ask: () => Promise<string>, wanted: string | RegExp, timeoutMs = 30_000): Promise<void> {
  let last = "";
  for (const endsAt = Date.now() + timeoutMs; Date.now() < endsAt; await sleep(500)) {
    last = await ask().catch((error: Error) => error.message);
    if (typeof wanted === "string" ? last === wanted : wanted.test(last)) return;
  }
  expect(last).toMatch(wanted);
}
/** Everything that runs on a node, by the process or container that it is. */
async function running({ container }: RigNode): Promise<string> {
  const units = ["containerd", "etcd", "kubelet", "slipway-balancer"];
  const pids = await container.exec(["/usr/bin/systemctl", "show", "-p", "Id,MainPID,NRestarts", ...units]);
  const tasks = await container.exec(["/usr/bin/ctr", "-n", "k8s.io", "tasks", "ls", "-q"]);
  return `${pids.stdout}${tasks.stdout.split("\n").sort().join("\n")}`;
}

test("etcd begins on the appliance's word only", async () => {
  const waiting = await cp.until((s) => s.etcd?.data?.$case === "none", 30_000);
  expect(waiting).toMatchObject({ ready: false, bootstrapObstacle: "", installId: "install-of-cp-1" });
  // Its other services come up meanwhile, and are what it waits for first.
  await cp.until(({ reason }) => /waits for the word/.test(reason), 60_000);
  await sleep(3000);
  expect(cp.status().etcd?.data?.$case).toBe("none");
});

test("the word given, both are Ready and CoreDNS runs", { timeout: 2 * READY_MS }, async () => {
  // The list does not know the worker's address yet: it may join, but gets no serving certificate.
  cp.order(true, ({ name }) => (name === "w-1" ? { addresses: [] } : {}));
  await cp.until((s) => s.ready && s.nodes.length === 2 && s.nodes.every((n) => n.ready), READY_MS);
  expect((await worker.until((s) => s.ready, READY_MS)).components.map((c) => c.name)).toEqual(
    expect.arrayContaining(["containerd", "kubelet", "slipway-balancer", "kube-proxy", "flannel"]),
  );
  await settles(
    () => kubectl("-n", "kube-system", "get", "deploy", "coredns", "-o", "jsonpath={.status.readyReplicas}"),
    "2",
  );
});

test("a serving certificate and labels follow the appliance's list", async () => {
  const approved = () =>
    kubectl(
      "get",
      "csr",
      "-o",
      'jsonpath={range .items[?(@.spec.username=="system:node:w-1")]}{.spec.signerName}={.status.conditions[*].type} {end}',
    );
  await settles(approved, /kubelet-serving=$/);
  const labels = { rack: "a", "node-role.kubernetes.io/storage": "" };
  cp.order(true, ({ name }) => (name === "w-1" ? { labels, taints: ["dedicated=db:PreferNoSchedule"] } : {}));
  await settles(approved, /kubelet-serving=Approved/);
  const seen = "jsonpath={.metadata.labels.rack} {.spec.taints[*].key}";
  await settles(() => kubectl("get", "node", "w-1", "-o", seen), "a dedicated");
  cp.order(true);
  await settles(() => kubectl("get", "node", "w-1", "-o", seen), "");
});

const WEB = JSON.stringify({
  apiVersion: "v1",
  kind: "List",
  items: [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: {
            topologySpreadConstraints: [
              {
                ...{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" },
                labelSelector: { matchLabels: { app: "web" } },
              },
            ],
            containers: [
              {
                ...{ name: "web", image: TEST_IMAGE, imagePullPolicy: "Never" },
                command: ["sh", "-c", "hostname > /www/index.html; exec httpd -f -h /www -p 8080"],
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ],
});

test("two replicas on two nodes answer each other by the Service's name", async () => {
  for (const { container } of rig.nodes) {
    writeFileSync(container.path("/var/test-image.tar"), testImage());
    await container.exec(["/usr/bin/ctr", "-n", "k8s.io", "images", "import", "/var/test-image.tar"]);
  }
  writeFileSync(cp.container.path("/var/web.json"), WEB);
  await kubectl("apply", "-f", "/var/web.json");
  await kubectl("rollout", "status", "deploy/web", "--timeout=60s");
  const pods = (await kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}")).split(" ");
  expect(pods).toHaveLength(2);
  // kube-proxy learns of an endpoint a second after it is ready.
  const ask = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do wget -qO- http://web; done";
  const answering = async (pod: string) =>
    [...new Set((await kubectl("exec", pod, "--", "sh", "-c", ask)).split("\n"))].sort().join(" ");
  for (const pod of pods) await settles(() => answering(pod), pods.toSorted().join(" "));
});

test("a pod that no node may take is named with the scheduler's words", async () => {
  await kubectl("run", "huge", `--image=${TEST_IMAGE}`, '--overrides={"spec":{"nodeSelector":{"nowhere":"yes"}}}');
  const { pendingPods } = await cp.until((s) => s.pendingPods.length > 0, 30_000);
  expect(pendingPods[0]).toMatchObject({ name: "huge", namespace: "default", reason: expect.stringContaining("node") });
  await kubectl("delete", "pod", "huge", "--now");
  await cp.until((s) => s.pendingPods.length === 0, 30_000);
});

test("the agent's death cuts nothing", { timeout: READY_MS }, async () => {
  const before = await Promise.all(rig.nodes.map(running));
  for (const { container } of rig.nodes) {
    await container.exec(["/usr/bin/systemctl", "kill", "--signal=KILL", "slipway-agent"]);
  }
  await sleep(3000);
  for (const node of rig.nodes) await node.until((s) => s.ready, 60_000);
  // Two of the kubelet's looks at the list of static pods.
  await sleep(5000);
  expect(await Promise.all(rig.nodes.map(running))).toEqual(before);
});

test("renewed certificates come into force without a restart", { timeout: READY_MS }, async () => {
  const served = async () => {
    const client = ["openssl", "s_client", "-connect", "127.0.0.1:6443"];
    const inside = ["-t", String(cp.container.leader()), "-n", ...client];
    const said = execFileSync("nsenter", inside, { input: "", stdio: "pipe" }).toString();
    return new X509Certificate(/-----BEGIN[\s\S]+?END CERTIFICATE-----/.exec(said)![0]).serialNumber;
  };
  const [before, old] = [await running(cp), await served()];
  // As if each had reached half of its life: the agent finds none and issues all anew.
  rmSync(cp.container.path("/run/slipway/secrets/issued"), { recursive: true });
  await cp.container.exec(["/usr/bin/systemctl", "kill", "--signal=KILL", "slipway-agent"]);
  await settles(async () => String((await served()) !== old), "true", 90_000);
  await cp.until((s) => s.ready, 30_000);
  expect(await running(cp)).toBe(before);
});

test("after a power cut the same cluster is back, without the appliance's word", {
  timeout: 3 * READY_MS,
}, async () => {
  const { etcd } = cp.status();
  expect(etcd?.data).toMatchObject({ $case: "clusterId", value: expect.stringMatching(/^[0-9a-f]{8,16}$/) });
  await kubectl("create", "configmap", "kept", "--from-literal=a=b");
  await Promise.all(rig.nodes.map(({ container }) => container.kill()));
  cp.order(false);
  await Promise.all(rig.nodes.map(({ container }) => container.powerOn()));
  for (const node of rig.nodes) await node.until((s) => s.ready, READY_MS);
  expect(cp.status().etcd).toEqual(etcd);
  expect(await kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}")).toBe("b");
});

test("stopServices ends every container, then the services", { timeout: READY_MS }, async () => {
  await worker.container.exec(["/usr/bin/systemctl", "kill", "--signal=USR1", "slipway-agent"]);
  const active = async () => {
    const shown = ["show", "-p", "ActiveState", "containerd", "kubelet", "slipway-balancer"];
    return (await worker.container.exec(["/usr/bin/systemctl", ...shown])).stdout
      .split(/\s+/)
      .filter(Boolean)
      .join(" ");
  };
  await settles(active, "ActiveState=inactive ActiveState=inactive ActiveState=inactive");
  expect((await worker.container.exec(["/usr/bin/systemctl", "show", "-p", "NRestarts", "slipway-agent"])).stdout).toBe(
    "NRestarts=0\n",
  );
  // Nothing of a pod is left: httpd was the workload, pause its sandbox.
  const left = globSync("/proc/[0-9]*/comm").filter((file) => {
    try {
      return /^(pause|httpd|kube-proxy|flanneld)$/m.test(readFileSync(file, "utf8")) && isOf(worker, file);
    } catch {
      return false;
    }
  });
  expect(left).toEqual([]);
});

/** Whether a process of the host lives below a node's PID 1. */
function isOf({ container }: RigNode, file: string): boolean {
  const parentOf = (pid: number) => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  for (let pid = Number(file.split("/")[2]); pid > 1; pid = parentOf(pid)) if (pid === container.leader()) return true;
  return false;
}
