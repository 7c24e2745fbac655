// Which versions the OS image runs, in one table: what the linker writes into the programs, what the docs show and what
// go.mod requires must agree (test/boot-assets/image/kubernetes/versions.test.ts). How to bump: docs/kubernetes-versions.md.
// Pure.

/** `module` is the line of go.mod; `version` is without its "v". */
export type Component = { name: string; module: string; version: string };

export const COMPONENTS = [
  { name: "Kubernetes", module: "k8s.io/kubernetes", version: "1.37.2" },
  { name: "etcd", module: "go.etcd.io/etcd/server/v3", version: "3.7.3" },
  { name: "CoreDNS", module: "github.com/coredns/coredns", version: "1.15.0" },
  { name: "flannel", module: "github.com/flannel-io/flannel", version: "0.28.10" },
  { name: "CNI plugins", module: "github.com/containernetworking/plugins", version: "1.9.1" },
  { name: "containerd", module: "github.com/containerd/containerd/v2", version: "2.4.2" },
] as const satisfies Component[];

export type ComponentName = (typeof COMPONENTS)[number]["name"];
export const versionOf = (name: ComponentName): string => COMPONENTS.find((each) => each.name === name)!.version;

/** When Kubernetes' release was tagged: a build date that is true and the same for everyone. ISO 8601, UTC. */
export const KUBERNETES_DATE = "2026-10-27T12:01:04Z";

/**
 * The Go toolchain that compiles, whatever Go fetches it: the `toolchain` line of go.mod, and the h1 sums (as in go.sum) of
 * its module for each kind of building host.
 */
export const TOOLCHAIN = {
  version: "1.26.9",
  sums: {
    "linux-amd64": "h1:H1MNjtpLSXRMijiKWuh1cj9j9YM4NXKqM93/8h6Aics=",
    "linux-arm64": "h1:7zX/9hOPdr3dzQYUa5W/Bpz3BIL2eF1oDoQjg/io1U8=",
  },
} as const;
export type BuildHost = keyof typeof TOOLCHAIN.sums;
