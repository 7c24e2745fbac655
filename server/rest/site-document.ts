// A whole site as documents for `slipway apply`: clusters, roles, machines with their patches. `slipway export --site` writes
// it; applied again it changes nothing. Fields that have their default are left out, so that a person reads what was decided.
// Pure.
import { stringify } from "yaml";
import type { Machine as InventoryMachine } from "../../inventory/machine.ts";
import { clusterOf, roleOf, type Site } from "../cluster/site.ts";
import { API_VERSION, CLUSTER_DEFAULTS, type Cluster, type Role } from "../cluster/topology.ts";

type Document = { apiVersion: string; kind: string; metadata: { name: string }; spec: object };

const document = (kind: string, name: string, spec: object): Document => ({
  ...{ apiVersion: API_VERSION, kind, metadata: { name }, spec },
});

/** Clusters, then roles, then machines, each by name: two exports can be compared line by line. */
export function formatSite({ clusters, roles, machines }: Site): string {
  const byName = <T extends { name: string }>(list: readonly T[]) =>
    list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const named = machines.flatMap((m) => (m.name === undefined ? [] : [{ ...m, name: m.name }]));
  const documents = [
    ...byName(clusters).map((c) => clusterDocument(clusterOf(c))),
    ...byName(roles).map((r) => roleDocument(roleOf(r))),
    ...byName(named).map(machineDocument),
  ];
  const unnamed = machines.filter((m) => m.name === undefined).flatMap((m) => m.macs[0] ?? []);
  const note = unnamed.length === 0 ? "" : `# Not here, because a document needs a name: ${unnamed.join(", ")}\n`;
  return note + documents.map((d) => `---\n${stringify(JSON.parse(JSON.stringify(d)), { lineWidth: 0 })}`).join("");
}

function clusterDocument({ name, ...spec }: Cluster): Document {
  const defaults: Record<string, unknown> = CLUSTER_DEFAULTS;
  const isDefault = (key: string, value: unknown) => JSON.stringify(defaults[key]) === JSON.stringify(value);
  const kept = Object.entries(spec).filter(([key, value]) => !isDefault(key, value));
  return document("Cluster", name, Object.fromEntries(kept));
}

function roleDocument({ name, type, cluster, leastGrade, patches }: Role): Document {
  return document("Role", name, { type, cluster, leastGrade, ...(patches.length === 0 ? {} : { patches }) });
}

function machineDocument(machine: InventoryMachine & { name: string }): Document {
  const { name, macs, role, cluster, address, boot, uuid, serial, spec } = machine;
  const patches = spec?.patches as unknown[] | undefined;
  return document("Machine", name, {
    macs,
    role,
    cluster,
    address,
    boot,
    uuid,
    serial,
    ...(patches ? { patches } : {}),
  });
}
