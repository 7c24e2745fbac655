// From compiled programs and archives to the part of the root file system that they are: paths, modes, links. Called by
// build.ts; the image recipe adds this tree to the root's. Pure.
import { posix } from "node:path";
import type { Tree } from "../tree.ts";
import { PROGRAMS } from "./programs.ts";

/** Imported by the agent into containerd when a node starts. */
export const IMAGE_ARCHIVES = "/usr/lib/slipway/images";
const FROM = "slipway:kubernetes";

const inTree = (path: string): string => path.slice(1);

/**
 * @param programs bytes by Program.target.
 * @param archives container images by file name.
 */
export function kubernetesTree(
  programs: ReadonlyMap<string, Uint8Array>,
  archives: ReadonlyMap<string, Uint8Array>,
): Tree {
  const tree: Tree = new Map();
  for (const { target, path, links } of PROGRAMS) {
    tree.set(inTree(path), { kind: "file", mode: 0o755, bytes: programs.get(target)!, from: FROM });
    for (const link of links) {
      tree.set(inTree(link), { kind: "link", target: posix.relative(posix.dirname(link), path), from: FROM });
    }
  }
  for (const [name, bytes] of archives) {
    tree.set(inTree(`${IMAGE_ARCHIVES}/${name}`), { kind: "file", mode: 0o644, bytes, from: FROM });
  }
  return tree;
}
