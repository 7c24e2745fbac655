// What is compiled, and where it lies in the OS image: one row a program file, with the names it is called by. Paths that
// pods mount come from server/contract/kubernetes/node-paths.ts. Why these are four programs and four plugins:
// docs/adr/0012-kubernetes-in-few-programs.md. Pure.
import { NODE_PATHS } from "../../../server/contract/kubernetes/node-paths.ts";

/** `target` is what `go build -o` calls it; `links` are absolute paths that lead to `path`. */
export type Program = { source: string; target: string; path: string; links: readonly string[] };

const CONTAINERD = "github.com/containerd/containerd/v2";
const CNI = "github.com/containernetworking/plugins/plugins";
const plugin = (kind: string, name: string): Program => ({
  source: `${CNI}/${kind}/${name}`,
  target: name,
  path: `${NODE_PATHS.cniPlugins}/${name}`,
  links: [],
});

export const PROGRAMS: readonly Program[] = [
  {
    source: "./programs/kubernetes",
    target: "kubernetes",
    path: NODE_PATHS.kubernetesProgram,
    links: [
      ...["kubelet", "kubectl", "etcd", "etcdutl"].map((name) => `/usr/bin/${name}`),
      NODE_PATHS.coreDnsProgram,
      NODE_PATHS.flannelProgram,
      "/usr/lib/slipway/slipway-balancer",
    ],
  },
  { source: "./programs/containerd", target: "containerd", path: "/usr/bin/containerd", links: ["/usr/bin/ctr"] },
  {
    source: `${CONTAINERD}/cmd/containerd-shim-runc-v2`,
    target: "containerd-shim-runc-v2",
    path: "/usr/bin/containerd-shim-runc-v2",
    links: [],
  },
  plugin("main", "bridge"),
  plugin("main", "loopback"),
  plugin("ipam", "host-local"),
  plugin("meta", "portmap"),
];

/** Names of the one Kubernetes program that only pods call it by: they mount it under the name. */
export const POD_PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"] as const;
