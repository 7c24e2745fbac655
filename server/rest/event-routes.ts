// /v1/events/… and /v1/logs: what happened to machines, as a list and as an endless stream of JSON lines.
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { type Mac, parseMac } from "../../inventory/address.ts";
import { describeEvent, EVENTS, type EventRecord } from "../../inventory/event.ts";
import type { EventQuery, Inventory } from "../../inventory/port.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { AdminDeps } from "./app.ts";
import { findMachine } from "./find-machine.ts";
import {
  ERROR_BODY,
  EVENTS_QUERY,
  EVENTS_RESULT,
  type EventView,
  FOLLOW_QUERY,
  LOGS_QUERY,
  LOGS_RESULT,
} from "./schema.ts";

const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };
const PAGE_EVENTS = 500;
/** A reader that is this far behind is let go; it comes back with `afterSeq` and misses nothing. */
const MAX_WAITING_EVENTS = 20_000;
const DEFAULT_EVENTS = 1000;
const DEFAULT_LINES = 500;
/** An empty line now and then: both sides notice when the other is gone. */
const KEEP_ALIVE_MS = 15_000;

/** Whose events: a machine's, a MAC's that no machine has (any more), or everybody's. */
type Whose = { kind: "all" } | { kind: "machine"; id: string; macs: readonly Mac[] } | { kind: "mac"; mac: Mac };

export function addEventRoutes(app: FastifyInstance, deps: AdminDeps): void {
  const { inventory } = deps;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    "/v1/events",
    {
      schema: {
        summary: "Events, oldest first",
        querystring: EVENTS_QUERY,
        response: { 200: EVENTS_RESULT, ...FAULTS },
      },
    },
    async ({ query: { machine, afterSeq, since, limit = DEFAULT_EVENTS } }) => {
      const whose = await findWhose(inventory, machine);
      const events = await inventory.listEvents({
        ...queryOf(whose),
        ...(afterSeq === undefined ? {} : { afterSeq }),
        limit,
      });
      const from = since === undefined ? 0 : Date.parse(since);
      return { events: events.filter((e) => e.at >= from).map(viewOf) };
    },
  );
  addFollowRoute(app, deps);
  routes.get(
    "/v1/logs",
    {
      schema: {
        summary: "Log lines of machines, oldest first",
        querystring: LOGS_QUERY,
        response: { 200: LOGS_RESULT, ...FAULTS },
      },
    },
    async ({ query: { machine, limit = DEFAULT_LINES } }) => {
      const whose = await findWhose(inventory, machine);
      const macs = whose.kind === "machine" ? whose.macs : whose.kind === "mac" ? [whose.mac] : [undefined];
      const lists = await Promise.all(
        macs.map((mac) => inventory.listLogLines({ ...(mac === undefined ? {} : { mac }), limit })),
      );
      const lines = lists.flat().sort((a, b) => a.at - b.at);
      return { lines: lines.slice(-limit) };
    },
  );
}

function addFollowRoute(app: FastifyInstance, { inventory }: AdminDeps): void {
  const closing = new AbortController();
  // Streams never end by themselves, and close() would wait for them.
  app.addHook("preClose", async () => closing.abort());
  app.withTypeProvider<ZodTypeProvider>().get(
    "/v1/events/follow",
    {
      schema: {
        summary:
          "Events as they happen: one JSON object a line (application/x-ndjson), empty lines keep the connection alive",
        querystring: FOLLOW_QUERY,
      },
    },
    async ({ query, raw }, reply) => {
      const whose = await findWhose(inventory, query.machine);
      const newest = query.afterSeq ?? (await inventory.listEvents({ limit: 1 }))[0]?.seq ?? 0;
      const gone = new AbortController();
      raw.once("close", () => gone.abort());
      const signal = AbortSignal.any([gone.signal, closing.signal]);
      return reply.type("application/x-ndjson").send(Readable.from(followEvents(inventory, whose, newest, signal)));
    },
  );
}

/** Every event after `afterSeq`, those of the past first; no event twice and none left out. */
async function* followEvents(inventory: Inventory, whose: Whose, afterSeq: number, signal: AbortSignal) {
  const waiting: EventRecord[] = [];
  const bell = makeBell(signal);
  const stop = inventory.watchEvents((events) => {
    for (const event of events) if (isOf(whose, event)) waiting.push(event);
    bell.ring();
  });
  let seq = afterSeq;
  try {
    yield "\n"; // Headers leave at once, so that the reader knows it is connected.
    for (;;) {
      const page = await inventory.listEvents({ ...queryOf(whose), afterSeq: seq, limit: PAGE_EVENTS });
      for (const event of page) yield lineOf(event);
      seq = page.at(-1)?.seq ?? seq;
      if (page.length < PAGE_EVENTS || signal.aborted) break;
    }
    while (!signal.aborted && waiting.length < MAX_WAITING_EVENTS) {
      const fresh = waiting.splice(0).filter((e) => e.seq > seq);
      for (const event of fresh) yield lineOf(event);
      seq = fresh.at(-1)?.seq ?? seq;
      if (waiting.length === 0 && (await bell.wait(KEEP_ALIVE_MS)) === "silence") yield "\n";
    }
  } finally {
    stop();
    bell.still();
  }
}

/** Wakes a waiting reader when something happened, when it took too long, or when it shall end. */
function makeBell(signal: AbortSignal) {
  let wake: ((why: "rung" | "silence") => void) | undefined;
  const ring = () => wake?.("rung");
  signal.addEventListener("abort", ring);
  return {
    ring,
    wait: async (ms: number) => {
      if (signal.aborted) return "rung";
      let timer: NodeJS.Timeout | undefined;
      const why = await new Promise<"rung" | "silence">((resolve) => {
        wake = resolve;
        timer = setTimeout(() => resolve("silence"), ms);
      });
      clearTimeout(timer);
      wake = undefined;
      return why;
    },
    still: () => signal.removeEventListener("abort", ring),
  };
}

async function findWhose(inventory: Inventory, ref: string | undefined): Promise<Whose> {
  if (ref === undefined) return { kind: "all" };
  const found = findMachine(await inventory.listMachines(), ref);
  if (found.kind === "machine") return { kind: "machine", id: found.machine.id, macs: found.machine.macs };
  // A MAC may have events although its machine was removed, or before there was one.
  const mac = parseMac(ref);
  if (mac !== undefined) return { kind: "mac", mac };
  throw new SlipwayError(
    found.kind === "several" ? "BAD_REQUEST" : "NOT_FOUND",
    `"${ref}": ${"reason" in found ? found.reason : "unknown"}`,
  );
}

const queryOf = (whose: Whose): EventQuery =>
  whose.kind === "machine" ? { machineId: whose.id } : whose.kind === "mac" ? { mac: whose.mac } : {};

const isOf = (whose: Whose, event: EventRecord): boolean =>
  whose.kind === "all" ||
  (whose.kind === "mac" && event.mac === whose.mac) ||
  (whose.kind === "machine" &&
    (event.machineId === whose.id ||
      (event.machineId === undefined && event.mac !== undefined && whose.macs.includes(event.mac))));

const viewOf = (event: EventRecord): EventView => {
  const { phase, level } = EVENTS[event.kind];
  return { ...event, phase, level, text: describeEvent(event) };
};
const lineOf = (event: EventRecord): string => `${JSON.stringify(viewOf(event))}\n`;
