// A desk over a real inventory, with a clock that the test moves, and nodes that say what the test wants.
import type { NewEvent } from "../../../inventory/event.ts";
import type { Machine } from "../../../inventory/machine.ts";
import type { Inventory, NewMachine } from "../../../inventory/port.ts";
import { ClusterAdmin } from "../../../server/cluster/admin-service.ts";
import { type Desk, type DeskDeps, openDesk } from "../../../server/cluster/desk-service.ts";
import type { Wire } from "../../../server/cluster/run-endpoint.ts";
import type { EtcdStatus, NodeStatus } from "../../../server/contract/generated/agent.ts";
import { tempInventory } from "../../inventory/temp-inventory.ts";
import { BUNDLE } from "../contract/machine-config/sample.ts";

export const NOW = Date.UTC(2026, 0, 2);
export const CP = "52:54:00:00:00:01";

/** The wire of a network 192.0.2.0/24 with a pool from .128 on; `answering` are addresses that somebody has. */
export function testWire(answering: readonly string[] = []): Wire & { probed: string[] } {
  const probed: string[] = [];
  return {
    probed,
    networks: () => [
      {
        subnet: "192.0.2.0/24",
        pool: { first: "192.0.2.128", last: "192.0.2.254" },
        ...{ isRelayed: false, isUndecided: false },
      },
    ],
    used: () => [{ ip: "192.0.2.1", by: "this appliance (eth0)" }],
    siteNetworks: () => ["192.0.2.0/24"],
    probe: async (ip) => {
      probed.push(ip);
      return answering.includes(ip) ? "52:54:00:00:00:ff" : undefined;
    },
  };
}

export type TestDesk = {
  inventory: Inventory;
  desk: Desk;
  admin: ClusterAdmin;
  events: Omit<NewEvent, "at">[];
  said: string[];
  time: { now: number };
  wire: ReturnType<typeof testWire>;
  /** Bundles that were made and moved aside, by name. */
  bundles: { created: string[]; retired: string[]; broken: Set<string> };
  machine(over: Partial<NewMachine> & { macs: string[] }): Promise<Machine>;
  /** Marks it as installed. */
  installed(machine: Machine, installId: string): Promise<Machine>;
  get(id: string): Promise<Machine>;
  /** Waits until all that was set off has been written down. */
  settle(): Promise<void>;
  /** The same inventory, as after a restart of the appliance. */
  reopen(): Promise<Desk>;
};

export async function testDesk(over: Partial<DeskDeps> = {}, answering: readonly string[] = []): Promise<TestDesk> {
  const inventory = await tempInventory().open();
  const time = { now: NOW };
  const events: TestDesk["events"] = [];
  const said: string[] = [];
  const bundles = { created: [] as string[], retired: [] as string[], broken: new Set<string>() };
  const wire = testWire(answering);
  const open = () =>
    openDesk({
      inventory,
      openBundle: async () => BUNDLE,
      settingsFor: () => ({ kubernetesVersion: "1.37.2" }),
      ownAddresses: () => ["192.0.2.1"],
      siteNetworks: () => wire.siteNetworks(),
      log: { info: (text) => void said.push(text), warn: (text) => void said.push(text) },
      record: (event) => void events.push(event),
      now: () => time.now,
      ...{ everyMs: 20, settleMs: 1 },
      ...over,
    });
  const desk = await open();
  const admin = new ClusterAdmin({
    ...{ inventory, desk, wire, now: () => time.now },
    record: (event) => void events.push(event),
    bundles: {
      create: async (name) => {
        bundles.created.push(name);
        return BUNDLE;
      },
      open: async () => BUNDLE,
      retire: (name) => {
        bundles.retired.push(name);
        return `/secrets/${name}.retired.age`;
      },
    },
  });
  const get = async (id: string) => (await inventory.findMachineById(id))!;
  const change = async (id: string, more: object) =>
    (await inventory.changeMachines([], [{ id, ...more }], "test"))[0]!;
  return {
    ...{ inventory, desk, admin, events, said, time, wire, bundles, get },
    machine: async (one) => (await inventory.changeMachines([{ lifecycle: "approved", ...one }], [], "test"))[0]!,
    installed: (machine, installId) =>
      change(machine.id, { lifecycle: "installed", installation: { installId, number: 1, disk: "/dev/vda", at: NOW } }),
    settle: async () => {
      // Longer than the desk gathers changes for, and than its own rounds; then all turns that were taken.
      await new Promise((resolve) => setTimeout(resolve, 60));
      await desk.turns.take(async () => {});
    },
    reopen: open,
  };
}

/** A node that is well, but for what is said otherwise. */
export const nodeStatus = (installId: string, over: Partial<NodeStatus> = {}): NodeStatus => ({
  installId,
  ready: true,
  reason: "",
  components: [],
  etcd: undefined,
  bootstrapObstacle: "",
  holdsEndpoint: false,
  nodes: [],
  pendingPods: [],
  configNotes: [],
  memoryAvailableBytes: 1n,
  ...over,
});
export const NO_DATA: EtcdStatus = { data: { $case: "none", value: {} }, healthy: false, memberId: "", members: [] };
export const data = (clusterId: string): EtcdStatus => ({
  ...{ data: { $case: "clusterId", value: clusterId }, healthy: true, memberId: "m1", members: ["m1"] },
});
