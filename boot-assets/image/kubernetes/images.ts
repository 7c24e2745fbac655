// The two container images inside the OS: pause (the sandbox of each pod) and the program image, a few kB of empty
// directories into which pods of kube-system mount the OS's own program. Called by build.ts; who mounts what:
// server/contract/kubernetes/. Pure.
import { programImage, SANDBOX_IMAGE } from "../../../server/contract/kubernetes/node-paths.ts";
import type { Arch } from "../packages.ts";
import { addParents, type Tree } from "../tree.ts";
import { writeImageArchive } from "./archive.ts";
import { KUBERNETES_DATE, versionOf } from "./versions.ts";

/** As the stock pause image has it: nobody. */
const PAUSE_USER = "65535:65535";

/** Debian's merged /usr: where pods mount the OS's /usr, nft finds its loader through these. */
const MERGED = ["bin", "lib", "lib64", "sbin"];
const DIRECTORIES = [
  ...["dev", "etc", "proc", "run", "sys", "usr/local/bin"],
  // Where programs are mounted by pods that mount the OS's /usr as well.
  "opt/slipway",
];

function programRoot(): Tree {
  const tree: Tree = new Map();
  for (const path of DIRECTORIES) tree.set(path, { kind: "dir", mode: 0o755, from: "slipway" });
  for (const name of MERGED) tree.set(name, { kind: "link", target: `usr/${name}`, from: "slipway" });
  // Logs of the control plane go to files below /tmp when someone asks for them.
  tree.set("tmp", { kind: "dir", mode: 0o1777, from: "slipway" });
  tree.set("var/run", { kind: "link", target: "../run", from: "slipway" });
  addParents(tree);
  return tree;
}

export const pauseArchive = (arch: Arch, program: Uint8Array): Uint8Array =>
  writeImageArchive({
    name: SANDBOX_IMAGE,
    arch,
    created: KUBERNETES_DATE,
    root: new Map([["pause", { kind: "file", mode: 0o755, bytes: program, from: "slipway" }]]),
    entrypoint: ["/pause"],
    user: PAUSE_USER,
  });

export const programArchive = (arch: Arch): Uint8Array =>
  writeImageArchive({
    name: programImage(versionOf("Kubernetes")),
    arch,
    created: KUBERNETES_DATE,
    root: programRoot(),
  });
