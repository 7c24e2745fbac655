// What a node's Kubernetes keeps on STATE of what it learnt from the cluster: where API servers are, and its own part of the
// pods' network. Both only save time at the next start; without the file the node asks again. Called by run-node.ts and
// run-duties.ts. Pure.
import { ipv4Prefix } from "../../server/contract/machine-config/address.ts";

/** `servers`: `ip:port`. `podCidr`: `spec.podCIDR` of the own Node object, which never changes while that object lives. */
export type Kept = { servers: readonly string[]; podCidr: string | undefined };

export const KEPT_FILE = "kubernetes.json";
const SCHEMA = 1;

export const renderKept = ({ servers, podCidr }: Kept): string =>
  `${JSON.stringify({ schema: SCHEMA, servers, podCidr })}\n`;

/** A file that is missing, damaged or of a later schema counts as empty. */
export function parseKept(text: string | undefined): Kept {
  try {
    const { schema, servers, podCidr } = JSON.parse(text ?? "{}") as Record<string, unknown>;
    if (schema !== SCHEMA || !Array.isArray(servers)) return NOTHING;
    const isServer = (s: unknown): s is string => typeof s === "string" && /^\d+\.\d+\.\d+\.\d+:\d+$/.test(s);
    const isNetwork = typeof podCidr === "string" && ipv4Prefix(podCidr) !== undefined;
    return { servers: servers.filter(isServer), podCidr: isNetwork ? podCidr : undefined };
  } catch {
    return NOTHING;
  }
}
const NOTHING: Kept = { servers: [], podCidr: undefined };
