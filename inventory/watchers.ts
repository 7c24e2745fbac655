// Those who want to know what was committed: the page, `events --follow`, DHCP's reservations. Told after each commit by
// group-commit.ts; one that throws is logged and does not keep the others from hearing. Pure.
import type { EventRecord } from "./event.ts";
import type { Notes } from "./group-commit.ts";
import type { Machine } from "./machine.ts";
import type { StoreLog } from "./store-log.ts";

type MachineListener = (machines: readonly Machine[], deletedIds: readonly string[]) => void;
type ClusterListener = () => void;
type EventListener = (events: readonly EventRecord[]) => void;

export function watchers(log: StoreLog) {
  const machineListeners = new Set<MachineListener>();
  const eventListeners = new Set<EventListener>();
  const clusterListeners = new Set<ClusterListener>();

  function each<T>(listeners: ReadonlySet<T>, call: (listener: T) => void): void {
    for (const listener of listeners) {
      try {
        call(listener);
      } catch (cause) {
        log.error("a listener of the inventory failed; the write itself is on disk", { err: cause });
      }
    }
  }
  function keep<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }
  return {
    // Wrapped, so that the same function may listen twice and each stop ends only its own.
    watchMachines: (listener: MachineListener) => keep(machineListeners, (m, d) => listener(m, d)),
    watchEvents: (listener: EventListener) => keep(eventListeners, (e) => listener(e)),
    watchClusters: (listener: ClusterListener) => keep(clusterListeners, () => listener()),
    tell: (notes: Notes): void => {
      if (notes.events.length > 0) each(eventListeners, (listener) => listener(notes.events));
      if (notes.isTopologyChanged) each(clusterListeners, (listener) => listener());
      if (machineListeners.size === 0 || notes.machines.size + notes.deletedIds.size === 0) return;
      const machines = [...notes.machines.values()];
      each(machineListeners, (listener) => listener(machines, [...notes.deletedIds]));
    },
  };
}
