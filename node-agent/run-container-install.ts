// Installs and resets of a container node: there is no disk to write, so an install is the config on STATE, and a reset is what
// Kubernetes left on /var. Edge: files. The node is stopped before either (run-install-duty.ts, run-verb-duty.ts).
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { InstallStep } from "../server/contract/generated/agent.ts";
import type { NodeStore } from "./node/open-state.ts";
import type { Installed, Installer, InstallJob } from "./world.ts";

/** What a cluster leaves on a node: data of etcd, kubelet, containerd and of network plug-ins. */
const LEFT_BEHIND = [
  "lib/etcd",
  "lib/kubelet",
  "lib/containerd",
  "lib/cni",
  "lib/calico",
  "log/pods",
  "log/containers",
  "log/audit",
  "opt/cni/bin",
];

export type ContainerDeps = {
  store: NodeStore;
  /** The node's own /var. */
  varDir: string;
  /** Takes every mount off that lies below a directory: pods leave volumes behind. */
  unmount(dir: string): void;
};

export const containerInstaller = ({ store, varDir, unmount }: ContainerDeps): Installer => ({
  install: async (job, report) => install({ store, varDir, unmount }, job, report),
  reset: async (id, _identity, report) => {
    const step = { order: id, number: 1, of: 1, text: "removes what the cluster left on /var", ...NO_BYTES };
    report({ ...step, done: false });
    forget(varDir, unmount);
    store.clear(true);
    report({ ...step, done: true });
    return { kind: "reset" };
  },
});

const NO_BYTES = { bytesDone: 0n, bytesTotal: 0n, elapsedMs: 0 };

function install(
  { store, varDir, unmount }: ContainerDeps,
  { order, installId, config }: InstallJob,
  report: (step: InstallStep) => void,
): Installed {
  const before = store.read();
  const last = before.kind === "node" ? before.install : undefined;
  const isSame = last?.order === order.order;
  const step = { order: order.order, number: 1, of: 1, text: "stores the machine config", ...NO_BYTES };
  report({ ...step, done: false });
  // Another installation is another member of its cluster: it must not come back with the old one's data.
  if (last !== undefined && !isSame) {
    forget(varDir, unmount);
    store.clear(false);
  }
  const number = isSame ? (last.number ?? 1) : (last?.number ?? 0) + 1;
  store.saveInstall(config.text, { order: order.order, installId, number, disk: "" });
  report({ ...step, done: true });
  return { kind: "installed", number, disk: "" };
}

function forget(varDir: string, unmount: ContainerDeps["unmount"]): void {
  for (const path of LEFT_BEHIND) {
    unmount(join(varDir, path));
    rmSync(join(varDir, path), { recursive: true, force: true });
  }
}
