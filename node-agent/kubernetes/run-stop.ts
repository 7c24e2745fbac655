// Stops everything of Kubernetes on a node, for a reset or a shutdown: first who starts pods, then the pods, etcd, and
// containerd at last. Edge: processes.
import { NODE_PATHS } from "../../server/contract/kubernetes/node-paths.ts";
import type { KubernetesDeps, RunCommand } from "./port.ts";
import { systemctl } from "./run-systemd.ts";

const CTR_TIMEOUT_MS = 60_000;
/** As port.ts RunCommand has it. */
const TIMED_OUT = 124;
/** How long containers have after SIGTERM. */
const GRACE_MS = 10_000;

/** Goes on whatever fails, and says what did. */
export async function stopServices({ run, log, config }: KubernetesDeps): Promise<void> {
  const stop = async (name: string) => {
    const fault = await systemctl(run, "stop", [name]);
    if (fault !== undefined) log.warn(`${fault}.`);
  };
  await stop("kubelet");
  await endContainers(run);
  if (config.controlPlane !== undefined) await stop("etcd");
  await stop("slipway-balancer");
  await stop("containerd");
}

async function endContainers(run: RunCommand): Promise<void> {
  const ctr = (...args: string[]) =>
    run("ctr", ["-a", NODE_PATHS.containerdSocket, "-n", "k8s.io", ...args], CTR_TIMEOUT_MS);
  /** undefined: it took too long to say. A containerd that is down has nothing that could be ended through it. */
  const running = async () => {
    const { code, stdout } = await ctr("tasks", "ls");
    if (code === TIMED_OUT) return undefined;
    return stdout.split("\n").flatMap((line) => (/\sRUNNING\b/.test(line) ? [line.split(/\s+/)[0]!] : []));
  };
  for (const signal of ["SIGTERM", "SIGKILL"]) {
    for (const id of (await running()) ?? []) await ctr("tasks", "kill", "-s", signal, id);
    const endsAtMs = performance.now() + GRACE_MS;
    while (performance.now() < endsAtMs && (await running())?.length !== 0)
      await new Promise((r) => setTimeout(r, 500));
  }
}
