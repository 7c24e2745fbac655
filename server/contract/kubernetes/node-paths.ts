// Where things of Kubernetes lie on a node, and what the images inside the OS are called. Every renderer of this room names
// them from here; the image recipe and the agent lay the files. Secrets and rendered configs are in /run: they are made anew
// at each start from the machine config on STATE. Pure.

const SECRETS = "/run/slipway/secrets";
const CONFIG = "/run/slipway/config";

export const NODE_PATHS = {
  /** All of Kubernetes as one program that goes by the name it is called by. */
  kubernetesProgram: "/usr/lib/slipway/kubernetes",
  coreDnsProgram: "/usr/lib/slipway/coredns",
  flannelProgram: "/usr/lib/slipway/flanneld",
  cniPlugins: "/usr/lib/slipway/cni",
  apiServerSecrets: `${SECRETS}/kube-apiserver`,
  apiServerConfig: `${CONFIG}/kube-apiserver`,
  controllerManagerSecrets: `${SECRETS}/kube-controller-manager`,
  schedulerSecrets: `${SECRETS}/kube-scheduler`,
  schedulerConfig: `${CONFIG}/kube-scheduler`,
  etcdSecrets: `${SECRETS}/etcd`,
  adminSecrets: `${SECRETS}/admin`,
  /** Every certificate and key that the agent issued, for itself: a restarted agent goes on with them. */
  issued: `${SECRETS}/issued`,
  etcdData: "/var/lib/etcd",
  /** The kubelet's own certificates, which it rotates itself; on EPHEMERAL. */
  kubeletPki: "/var/lib/kubelet/pki",
  kubeletConfig: `${CONFIG}/kubelet/kubelet.yaml`,
  kubeletCa: `${CONFIG}/kubelet/ca.crt`,
  kubeletBootstrap: `${SECRETS}/kubelet/bootstrap-kubeconfig`,
  kubeletKubeconfig: "/var/lib/kubelet/kubeconfig",
  containerdSocket: "/run/containerd/containerd.sock",
  containerdConfig: `${CONFIG}/containerd/config.toml`,
  registryHosts: `${CONFIG}/containerd/hosts`,
  cniConfig: `${CONFIG}/cni`,
  balancerConfig: `${CONFIG}/slipway-balancer.json`,
  /** Container images inside the OS: pause.tar, program.tar. */
  images: "/usr/lib/slipway/images",
  auditLog: "/var/log/audit/kube",
  resolvConf: "/etc/resolv.conf",
} as const;

/** Users of the static pods, as Talos has them. */
export const RUN_AS = { apiServer: 65_534, controllerManager: 65_535, scheduler: 65_536 } as const;

/** A few kB inside the OS image: directories to mount into, and nothing else. */
export const programImage = (kubernetesVersion: string): string => `slipway.dev/program:v${kubernetesVersion}`;
export const SANDBOX_IMAGE = "slipway.dev/pause:v1";

/** Ports that a node listens on. */
export const PORTS = {
  /** The agent's list of static pods, for the kubelet beside it; on 127.0.0.1 only. */
  staticPods: 7446,
  etcdClient: 2379,
  etcdPeer: 2380,
  /** etcd's JSON gateway, for the agent beside it; on 127.0.0.1 only. */
  etcdHttp: 2381,
  kubelet: 10_250,
  controllerManager: 10_257,
  scheduler: 10_259,
  /** VXLAN as IANA has it; flannel's own default is the kernel's older 8472. */
  vxlan: 4789,
} as const;

/** A file that the agent writes before it starts who reads it. `mode` as in chmod; secrets are readable by `uid` only. */
export type NodeFile = { path: string; text: string; uid: number; mode: number };
export const configFile = (path: string, text: string): NodeFile => ({ path, text, uid: 0, mode: 0o644 });
export const secretFile = (path: string, text: string, uid: number): NodeFile => ({ path, text, uid, mode: 0o400 });
