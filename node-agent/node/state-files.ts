// What lies on STATE beside config, key and certificate, as text and back. Pure. open-state.ts keeps the files; a text that
// parses to undefined counts as damaged, and the file before it is taken.
import type { ClusterOrders, Peer } from "../../server/contract/generated/agent.ts";
import { isHostIpv4 } from "../../server/contract/machine-config/values.ts";
import type { Lease } from "./lease.ts";

/** Counts up when a file of STATE changes its meaning. A node refuses a STATE that a newer OS wrote. */
export const STATE_SCHEMA = 1;

/** Which install filled this node. Number and disk are the marker's on metal, so they are left out there. */
export type InstallRecord = { order: string; installId: string; number?: number; disk?: string };

export const parseSchema = (text: string): number | undefined => {
  const schema = fieldsOf(text)?.schema;
  return Number.isInteger(schema) && (schema as number) > 0 ? (schema as number) : undefined;
};
export const formatSchema = (): string => format({});

export function parseInstall(text: string): InstallRecord | undefined {
  const { order, installId, number, disk } = fieldsOf(text) ?? {};
  if (typeof order !== "string" || typeof installId !== "string" || installId === "") return undefined;
  return {
    order,
    installId,
    ...(typeof number === "number" && { number }),
    ...(typeof disk === "string" && { disk }),
  };
}
export const formatInstall = (record: InstallRecord): string => format(record);

/** Milliseconds since 1970. */
export const parseTime = (text: string): number | undefined => {
  const unixMs = fieldsOf(text)?.unixMs;
  return typeof unixMs === "number" && unixMs > 0 ? unixMs : undefined;
};
export const formatTime = (unixMs: number): string => format({ unixMs: Math.floor(unixMs) });

/** The last lease of each network card, by its MAC. */
export type SavedLeases = Readonly<Record<string, Lease>>;

export function parseLeases(text: string): SavedLeases | undefined {
  const leases = fieldsOf(text)?.leases;
  if (typeof leases !== "object" || leases === null) return undefined;
  const all = Object.values(leases) as Partial<Lease>[];
  return all.every((l) => isHostIpv4(l.address ?? "") && Number.isInteger(l.bits) && Array.isArray(l.routes))
    ? (leases as SavedLeases)
    : undefined;
}
export const formatLeases = (leases: SavedLeases): string => format({ leases });

/**
 * The list of nodes that a control plane knew last. The order to begin etcd is not in it: a node that comes back with an old
 * one could begin a second cluster, so only an appliance that says it now is obeyed.
 */
export function parsePeers(text: string): Peer[] | undefined {
  const peers = fieldsOf(text)?.peers;
  if (!Array.isArray(peers)) return undefined;
  return peers.every(({ name, addresses }: Peer) => typeof name === "string" && Array.isArray(addresses))
    ? peers
    : undefined;
}
export const formatPeers = ({ peers }: Pick<ClusterOrders, "peers">): string => format({ peers });

const format = (fields: object): string => `${JSON.stringify({ schema: STATE_SCHEMA, ...fields }, null, 2)}\n`;

function fieldsOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
