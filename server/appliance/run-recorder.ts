// Writes events without anybody waiting for the disk. While dataDir cannot be written the events are kept in memory and one
// alarm is shown; they are written, with the alarm as an event, as soon as there is room again. run-appliance.ts opens it.
import type { NewEvent } from "../../inventory/event.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { type ErrorCode, SlipwayError } from "../contract/errors.ts";
import type { Alarm } from "./run-alarms.ts";

export type Recorder = {
  record: RecordEvent;
  /** What is wrong now, for `slipway status`: it cannot be read from the inventory as long as it cannot be written. */
  alarm(): Alarm | undefined;
  /** Tries once more to write what is kept. */
  close(): Promise<void>;
};

/** A morning of a rack that boots; more than that is dropped, oldest first, and counted. */
const MAX_KEPT = 5000;
const RETRY_MS = 2000;
/** The disk may mend itself of these; other faults are the event's own. */
const STORAGE: readonly ErrorCode[] = ["DISK_FULL", "DISK_FAILED", "NO_PERMISSION", "DATA_DIR_IN_USE"];

type Outage = { since: number; fault: SlipwayError; kept: NewEvent[]; dropped: number };

export function runRecorder(inventory: Pick<Inventory, "recordEvents">, log: Log, now = Date.now): Recorder {
  let outage: Outage | undefined;
  let timer: NodeJS.Timeout | undefined;

  const keep = (...events: NewEvent[]) => {
    const all = [...outage!.kept, ...events];
    outage!.dropped += Math.max(all.length - MAX_KEPT, 0);
    outage!.kept = all.slice(-MAX_KEPT);
  };
  const fail = (event: NewEvent, cause: unknown) => {
    if (!(cause instanceof SlipwayError) || !STORAGE.includes(cause.code)) {
      log.error(`The event ${event.kind} could not be written.`, { err: cause });
      return;
    }
    if (outage === undefined) {
      outage = { since: now(), fault: cause, kept: [], dropped: 0 };
      log.error(`Events cannot be written and are kept in memory until they can: ${cause.message}. ${cause.remedy}`);
      timer = setTimeout(retry, RETRY_MS);
    }
    keep(event);
  };
  const flush = async () => {
    if (outage === undefined) return;
    const { since, fault, kept, dropped } = outage;
    const seconds = Math.round((now() - since) / 1000);
    const detail = { reason: fault.message, seconds, kept: kept.length, dropped };
    outage.kept = [];
    try {
      await inventory.recordEvents([...kept, { kind: "storage-failed", at: now(), detail }]);
    } catch (cause) {
      const late = outage.kept;
      outage.kept = kept;
      keep(...late);
      throw cause;
    }
    const late = outage.kept;
    outage = undefined;
    log.info(`Events can be written again after ${seconds} s: ${kept.length} were kept, ${dropped} lost.`);
    late.forEach(write);
  };
  const retry = () => {
    flush().catch(() => {
      timer = setTimeout(retry, RETRY_MS);
    });
  };
  const write = (event: NewEvent) => {
    if (outage !== undefined) keep(event);
    else inventory.recordEvents([event], "soon").catch((cause) => fail(event, cause));
  };

  return {
    record: (event) => write({ ...event, at: now() }),
    alarm: () =>
      outage && {
        at: new Date(outage.since).toISOString(),
        text: `nothing can be written, and DHCP clients get no new address: ${outage.fault.message}`,
        remedy: outage.fault.remedy,
      },
    async close() {
      clearTimeout(timer);
      await flush().catch(() => log.error(`${outage?.kept.length} events are lost: they could not be written.`));
    },
  };
}
