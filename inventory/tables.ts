// The prepared statements of all tables, and what a transaction needs beside them. Made by store.ts; the rules that
// write (sight-machine.ts, change-machines.ts) take it as an argument and so stay free of SQL, clock and chance. Types only.
import type { attemptQueries } from "./attempt-queries.ts";
import type { auditQueries } from "./audit-queries.ts";
import type { clusterQueries } from "./cluster-queries.ts";
import type { eventQueries } from "./event-queries.ts";
import type { Notes } from "./group-commit.ts";
import type { keyQueries } from "./key-queries.ts";
import type { leaseQueries } from "./lease-queries.ts";
import type { machineQueries } from "./machine-queries.ts";
import type { markQueries } from "./mark-queries.ts";
import type { ticketQueries } from "./ticket-queries.ts";

export type Tables = {
  machines: ReturnType<typeof machineQueries>;
  leases: ReturnType<typeof leaseQueries>;
  clusters: ReturnType<typeof clusterQueries>;
  attempts: ReturnType<typeof attemptQueries>;
  tickets: ReturnType<typeof ticketQueries>;
  keys: ReturnType<typeof keyQueries>;
  events: ReturnType<typeof eventQueries>;
  audit: ReturnType<typeof auditQueries>;
  marks: ReturnType<typeof markQueries>;
};

/** One write inside a transaction. `at` is milliseconds since 1970; `newId` gives an id that was never used. */
export type Writing = { tables: Tables; notes: Notes; at: number; newId: () => string };
