// Brings the container images of the OS into containerd: the sandbox of each pod, and the one that pods of kube-system mount
// the OS's programs into. Pinned, so that the kubelet's collection of unused images leaves them. Edge: processes.
import { NODE_PATHS, programImage, SANDBOX_IMAGE } from "../../server/contract/kubernetes/node-paths.ts";
import type { RunCommand } from "./port.ts";
import { readText } from "./run-files.ts";

const TIMEOUT_MS = 300_000;
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
    const imported = await ctr("images", "import", "--label", PINNED, archive);
    if (imported.code !== 0) return `${archive} cannot be imported: ${imported.stderr.trim()}`;
    if (!imported.stdout.includes(name)) return `${archive} holds no ${name}: the OS image is damaged`;
  }
  return undefined;
}

const PROGRAM_ARCHIVE = `${NODE_PATHS.images}/program.tar`;
export const NO_VERSION = `${PROGRAM_ARCHIVE} names no version of Kubernetes: the OS image is damaged`;

/**
 * Which Kubernetes the OS holds, by the name of its program image, which is made with the programs. The kubelet itself is not
 * asked: it has 150 MB, and an emulated processor on a busy host was seen to need 20 s for its first word.
 * @param archive a few kB: empty directories.
 */
export const readKubernetesVersion = (archive = PROGRAM_ARCHIVE): string | undefined =>
  versionIn(readText(archive) ?? "");

/** `1.37.2` of `slipway.dev/program:v1.37.2`, in quotes as the archive's index (JSON) has it. */
function versionIn(text: string): string | undefined {
  const name = programImage("").replace(/[.]/g, "\\.");
  return new RegExp(`"${name}(\\d+\\.\\d+\\.\\d+[^"\\s]*)"`).exec(text)?.[1];
}
