// Opens the room of clusters for the appliance: the desk behind gRPC, and what people do to clusters behind the admin API.
// run-appliance.ts calls it.
import { versionOf } from "../../boot-assets/image/kubernetes/versions.ts";
import { isInNetwork } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { ClusterAdmin } from "../cluster/admin-service.ts";
import { type Desk, openDesk } from "../cluster/desk-service.ts";
import type { ReadConfig } from "../config/read-config.ts";
import type { InterfaceStatus } from "../dhcp/run-interface.ts";
import { recentInterfaces } from "../observe.ts";
import type { ClusterSecrets } from "../secrets/open-cluster-secrets.ts";
import { clusterWire } from "./cluster-wire-service.ts";

export type ClusterParts = {
  config: ReadConfig;
  inventory: Inventory;
  bundles: ClusterSecrets;
  log: Log;
  record: RecordEvent;
  /** What DHCP does now on each interface. */
  dhcp: () => readonly InterfaceStatus[];
};
export type Clusters = { desk: Desk; admin: ClusterAdmin; close(): void };

export async function openClusters(parts: ClusterParts): Promise<Clusters> {
  const { config, inventory, bundles, log, record, dhcp } = parts;
  const kubernetesVersion = versionOf("Kubernetes");
  const wire = clusterWire({ interfaces: config.interfaces, observe: recentInterfaces, dhcp });
  const desk = await openDesk({
    ...{ inventory, log, record, now: Date.now },
    openBundle: (cluster) => bundles.open(cluster),
    siteNetworks: wire.siteNetworks,
    ownAddresses: () => recentInterfaces().flatMap((one) => one.addresses),
    settingsFor: (machine, leased) => {
      const ip = nearestAddress(config, machine, leased);
      const url = ip === undefined ? undefined : `http://${ip}:${config.http.port}`;
      return { kubernetesVersion, ...(url === undefined ? {} : { registryMirror: url }) };
    },
  });
  const admin = new ClusterAdmin({ inventory, desk, bundles, wire, record, now: Date.now });
  return { desk, admin, close: () => desk.close() };
}

/** The appliance's address in a machine's own network, else its first one: where the machine asks for images. */
function nearestAddress(config: ReadConfig, machine: Machine, leased: readonly string[]): string | undefined {
  const names = new Set(config.interfaces.map((one) => one.name));
  const served = recentInterfaces().filter((one) => names.has(one.name) && one.address !== undefined);
  const own = [...(machine.address === undefined ? [] : [machine.address]), ...leased];
  const near = served.find((one) => own.some((ip) => one.network !== undefined && isInNetwork(ip, one.network)));
  return (near ?? served[0])?.address;
}
