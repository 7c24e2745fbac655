// Brings the container images of the OS into containerd: the sandbox of each pod, and the one that pods of kube-system mount
// the OS's programs into. Pinned, so that the kubelet's collection of unused images leaves them. Edge: processes.
import { NODE_PATHS, programImage, SANDBOX_IMAGE } from "../../server/contract/kubernetes/node-paths.ts";
import type { RunCommand } from "./port.ts";

const TIMEOUT_MS = 60_000;
const PINNED = "io.cri-containerd.pinned=pinned";

/** @returns what went wrong, in words; undefined when both are there. Safe to call again and again. */
export async function importImages(run: RunCommand, kubernetesVersion: string): Promise<string | undefined> {
  const ctr = (...args: string[]) =>
    run("ctr", ["-a", NODE_PATHS.containerdSocket, "-n", "k8s.io", ...args], TIMEOUT_MS);
  const listed = await ctr("images", "ls", "-q");
  if (listed.code !== 0) return `containerd does not list its images: ${listed.stderr.trim()}`;
  const there = new Set(listed.stdout.split("\n"));
  const wanted = { pause: SANDBOX_IMAGE, program: programImage(kubernetesVersion) };
  for (const [file, name] of Object.entries(wanted)) {
    if (there.has(name)) continue;
    const archive = `${NODE_PATHS.images}/${file}.tar`;
    const imported = await ctr("images", "import", archive);
    if (imported.code !== 0) return `${archive} cannot be imported: ${imported.stderr.trim()}`;
    const pinned = await ctr("images", "label", name, PINNED);
    if (pinned.code !== 0) return `${archive} holds no ${name}: ${pinned.stderr.trim()}`;
  }
  return undefined;
}
