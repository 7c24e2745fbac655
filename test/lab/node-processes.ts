// The processes of a container node as the host sees them, so that a test can kill one of them by what it is. Reads /proc.
// Called by test/long/kill-components.ts and vip-watch.ts.
import { readdirSync, readFileSync } from "node:fs";

export type NodeProcess = { pid: number; parent: number; argv: readonly string[] };

function readProcess(pid: number): NodeProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
    return { pid, parent: Number(stat[1]), argv };
  } catch {
    return undefined; // It ended meanwhile.
  }
}

/** All that descends from a node's PID 1, its pods' processes included. */
export function processesOf(leader: number): NodeProcess[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  const parentOf = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const isInside = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parentOf.get(at)) {
      if (at === leader) return true;
    }
    return false;
  };
  return all.filter(({ pid }) => pid !== leader && isInside(pid));
}

/** What the parts of a node are called by; the first argument names the program, as systemd and the pods start them. */
export const COMPONENTS = {
  agent: (argv) => argv.some((word) => word.endsWith("/agent.mjs")),
  kubelet: (argv) => argv[0] === "/usr/bin/kubelet",
  containerd: (argv) => argv[0] === "/usr/bin/containerd",
  etcd: (argv) => argv[0] === "/usr/bin/etcd",
  balancer: (argv) => argv[0]?.endsWith("/slipway-balancer") === true,
  "kube-apiserver": (argv) => argv[0]?.endsWith("kube-apiserver") === true,
  "kube-controller-manager": (argv) => argv[0]?.endsWith("kube-controller-manager") === true,
  "kube-scheduler": (argv) => argv[0]?.endsWith("kube-scheduler") === true,
  "kube-proxy": (argv) => argv[0]?.endsWith("kube-proxy") === true,
  flannel: (argv) => argv[0]?.endsWith("flanneld") === true,
} as const satisfies Record<string, (argv: readonly string[]) => boolean>;
export type Component = keyof typeof COMPONENTS;

export const findComponent = (leader: number, component: Component): number | undefined =>
  processesOf(leader).find(({ argv }) => COMPONENTS[component](argv))?.pid;
