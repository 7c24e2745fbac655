// When a machine was powered on, as far as its timeline shows: the first packet of the boot that its kernel ended. Called by
// node-report-service.ts for the `ready` event. Pure.
import { EVENTS, type EventRecord } from "../../inventory/event.ts";

/** Firmware, loader and image of one boot are never further apart than this; an older event belongs to another boot. */
const GAP_MS = 180_000;
const BEFORE_KERNEL = new Set(["firmware", "loader", "image"]);

/**
 * @param events of the machine, oldest first.
 * @param kernelAt when its kernel started, milliseconds since 1970.
 * @returns the time of the boot's first packet; `kernelAt` where the network saw nothing of this boot (a disk-first machine).
 */
export function powerOnAt(events: readonly EventRecord[], kernelAt: number): number {
  let first = kernelAt;
  for (const { at, kind } of events.toReversed()) {
    // The machine's clock and ours may differ by a little where the kernel's start is concerned.
    if (at > kernelAt + 2000) continue;
    if (!BEFORE_KERNEL.has(EVENTS[kind]?.phase) || first - at > GAP_MS) break;
    first = Math.min(first, at);
  }
  return first;
}
