// What no single field can tell: which fields must be there, and which contradict each other. decode.ts calls it once every
// field has been read. One row a rule. Sources: talos reference §4.1 (conflicts), §4.3 (what each role's config holds). Pure.
import { prefixesOverlap } from "./address.ts";
import type { MachineConfig } from "./fields.ts";

export type CrossFault = { path: string; message: string };
type Rule = (c: MachineConfig) => CrossFault | undefined;

/** Fields without which a node cannot join. */
const NEEDED: Record<string, (c: MachineConfig) => unknown> = {
  "machine.type": (c) => c.machine?.type,
  "cluster.controlPlane.endpoint": (c) => c.cluster?.controlPlane?.endpoint,
  "cluster.token": (c) => c.cluster?.token,
  "cluster.ca.crt": (c) => c.cluster?.ca?.crt,
};
/** And those that only a control plane holds: their keys would make any worker the cluster's owner. */
const CONTROL_PLANE: Record<string, (c: MachineConfig) => unknown> = {
  "cluster.id": (c) => c.cluster?.id,
  "cluster.ca.key": (c) => c.cluster?.ca?.key,
  "cluster.aggregatorCA.crt": (c) => c.cluster?.aggregatorCA?.crt,
  "cluster.aggregatorCA.key": (c) => c.cluster?.aggregatorCA?.key,
  "cluster.serviceAccount.key": (c) => c.cluster?.serviceAccount?.key,
  "cluster.secretboxEncryptionSecret": (c) => c.cluster?.secretboxEncryptionSecret,
  "cluster.etcd.ca.crt": (c) => c.cluster?.etcd?.ca?.crt,
  "cluster.etcd.ca.key": (c) => c.cluster?.etcd?.ca?.key,
};
/** What a worker must not be given: whoever holds the disk would hold the cluster. */
const KEYS_ONLY: Record<string, (c: MachineConfig) => unknown> = {
  "machine.ca.key": (c) => c.machine?.ca?.key,
  ...Object.fromEntries(Object.entries(CONTROL_PLANE).filter(([path]) => /key$|Secret$/.test(path))),
};

const isControlPlane = (c: MachineConfig): boolean => c.machine?.type === "controlplane";
const absent = (value: unknown): boolean => value === undefined;

const RULES: readonly Rule[] = [
  ({ machine, hostnameConfig }) =>
    machine?.network?.hostname !== undefined && hostnameConfig?.hostname !== undefined
      ? { path: "machine.network.hostname", message: "stands in a HostnameConfig document too; keep one" }
      : undefined,
  ({ machine, hostnameConfig }) =>
    machine?.network?.hostname === undefined && hostnameConfig?.hostname === undefined
      ? { path: "machine.network", message: "no hostname: give machine.network.hostname or a HostnameConfig document" }
      : undefined,
  ({ cluster }) =>
    overlap(
      cluster?.network?.podSubnets ?? [],
      cluster?.network?.serviceSubnets ?? [],
      "cluster.network.serviceSubnets",
    ),
  (c) => ownEndpoint(c),
  (c) => cidrCount(c, "podSubnets") ?? cidrCount(c, "serviceSubnets"),
  ({ cluster }) => serviceSize(cluster?.network?.serviceSubnets?.[0]),
];

function overlap(a: readonly string[], b: readonly string[], path: string): CrossFault | undefined {
  const pair = a.flatMap((x) => b.filter((y) => prefixesOverlap(x, y)).map((y) => [x, y]))[0];
  return pair && { path, message: `${pair[1]} overlaps with the pods' ${pair[0]}; choose networks apart` };
}

/** The endpoint moves between nodes; an address of one node would tie every certificate to it. */
function ownEndpoint({ machine, cluster }: MachineConfig): CrossFault | undefined {
  const host = cluster?.controlPlane?.endpoint?.host;
  const index = (machine?.network?.interfaces ?? []).findIndex((i) =>
    i.addresses?.some((a) => a.split("/")[0] === host),
  );
  return index === -1
    ? undefined
    : {
        path: `machine.network.interfaces[${index}].addresses`,
        message: `${host} is the cluster's endpoint; give the node an address of its own, and the endpoint as vip`,
      };
}

function cidrCount(c: MachineConfig, key: "podSubnets" | "serviceSubnets"): CrossFault | undefined {
  const count = c.cluster?.network?.[key]?.length ?? 0;
  return count > 1
    ? { path: `cluster.network.${key}`, message: "one network only: IPv4 without dual stack" }
    : undefined;
}

/** kube-apiserver takes /12 to /30; CoreDNS needs the tenth address. */
function serviceSize(subnet: string | undefined): CrossFault | undefined {
  const bits = Number(subnet?.split("/")[1] ?? 12);
  return bits >= 12 && bits <= 28
    ? undefined
    : {
        path: "cluster.network.serviceSubnets[0]",
        message: `must have a prefix length from 12 to 28, found ${subnet}`,
      };
}

function interfaceFaults({ machine }: MachineConfig): CrossFault[] {
  const interfaces = machine?.network?.interfaces ?? [];
  return interfaces.flatMap(({ interface: name, deviceSelector, vip }, i) => {
    const path = `machine.network.interfaces[${i}]`;
    const isSelected = Object.keys(deviceSelector ?? {}).length > 0;
    if ((name !== undefined) === isSelected) {
      return [{ path, message: "must have either interface (a name) or deviceSelector (with a condition)" }];
    }
    const first = interfaces.findIndex((other) => name !== undefined && other.interface === name);
    if (first !== -1 && first !== i) return [{ path, message: `${name} stands in interfaces[${first}] already` }];
    return vip !== undefined && machine?.type !== "controlplane"
      ? [{ path: `${path}.vip`, message: "only control planes hold the endpoint; take it out" }]
      : [];
  });
}

function mirrorFaults({ machine }: MachineConfig): CrossFault[] {
  return Object.entries(machine?.registries?.mirrors ?? {})
    .filter(([, mirror]) => mirror.skipFallback === true && (mirror.endpoints ?? []).length === 0)
    .map(([host]) => ({
      path: `machine.registries.mirrors`,
      message: `${host} has skipFallback and no endpoint: no image could be had from it`,
    }));
}

export function crossFaults(config: MachineConfig): CrossFault[] {
  const needed = Object.entries({ ...NEEDED, ...(isControlPlane(config) ? CONTROL_PLANE : {}) });
  const missing = needed.filter(([, get]) => absent(get(config))).map(([path]) => ({ path, message: "must be given" }));
  const tooMuch = isControlPlane(config) ? [] : Object.entries(KEYS_ONLY).filter(([, get]) => !absent(get(config)));
  return [
    ...missing,
    ...interfaceFaults(config),
    ...mirrorFaults(config),
    ...tooMuch.map(([path]) => ({ path, message: "a worker is given no such secret; take it out" })),
    ...RULES.flatMap((rule) => rule(config) ?? []),
  ];
}
