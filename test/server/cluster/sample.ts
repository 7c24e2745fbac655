// One site for the tests of this room: a cluster, its roles and two machines.
import type { SiteSettings } from "../../../server/cluster/config-document.ts";
import { renderMachineConfig } from "../../../server/cluster/machine-config.ts";
import {
  BUILT_IN_ROLES,
  CLUSTER_DEFAULTS,
  type Cluster,
  type Machine,
  type Patch,
} from "../../../server/cluster/topology.ts";
import { BUNDLE } from "../contract/machine-config/sample.ts";

export const CLUSTER: Cluster = { ...CLUSTER_DEFAULTS, name: "rack1", endpoint: "192.0.2.99" };
export const SITE: SiteSettings = { kubernetesVersion: "1.37.2", registryMirror: "http://192.0.2.1:8080" };
export const [CONTROL_PLANE, WORKER] = BUILT_IN_ROLES as [(typeof BUILT_IN_ROLES)[0], (typeof BUILT_IN_ROLES)[0]];
export const machine = (name: string, patches: readonly Patch[] = []): Machine => ({
  name,
  macs: ["52:54:00:12:34:56"],
  patches,
});

export const render = ({ cluster = CLUSTER, role = CONTROL_PLANE, of = machine("node-1"), site = SITE } = {}) =>
  renderMachineConfig({ cluster, role, machine: of, bundle: BUNDLE, site });

/** The text, or an error that lists the faults. */
export function rendered(parts: Parameters<typeof render>[0] = {}): string {
  const result = render(parts);
  if (result.kind === "config") return result.text;
  throw new Error(result.faults.map((f) => `${f.line}: ${f.path}: ${f.message}`).join("\n"));
}
