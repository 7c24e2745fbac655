// What every serving room is given instead of a logger, an event store or a clock of its own. Pure: types only.
import type { NewEvent } from "../../inventory/event.ts";

export type LogFields = Readonly<Record<string, unknown>>;
/** The appliance's log (server/log.ts). Text is a sentence for an admin; fields are for programs. */
export type Log = {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
};

/** Writes one event, without waiting for the disk. `at` is filled in with the present. */
export type RecordEvent = (event: Omit<NewEvent, "at">) => void;
