// `events` and `logs`: what happened to machines, in plain words, as a list or for as long as one watches.
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../contract/errors.ts";
import type { EventView, LogLineView } from "../rest/schema.ts";
import { type CommonOptions, type Desk, formatValue, openDesk, show } from "./output.ts";
import { clock, day, delta, paint, plain, wrap } from "./table.ts";

export type EventOptions = CommonOptions & { follow?: boolean; since?: string; limit?: string };

const RECONNECT_MS = 1000;
/** What a person wants to see before the first new line. */
const EVENTS_BEFORE_FOLLOWING = 10;
const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export async function runEvents(machine: string | undefined, options: EventOptions): Promise<void> {
  const since = options.since === undefined ? undefined : parseSince(options.since, Date.now());
  const few = options.follow && since === undefined ? EVENTS_BEFORE_FOLLOWING : undefined;
  const limit = parseLimit(options.limit) ?? few;
  const desk = await openDesk(options);
  const { events } = await desk.client.get<{ events: EventView[] }>("/v1/events", { machine, since, limit });
  const line = eventLines(desk.isTerminal, machine === undefined, desk.width);
  if (options.follow) return follow(desk, machine, events, line);
  const none = `No event${machine === undefined ? "" : ` of ${machine}`}${since === undefined ? "" : " since then"}. \`slipway events --follow\` waits for the next one.\n`;
  await show(desk, events, () => (events.length === 0 ? none : events.map(line).join("")));
}

/** Goes on when the appliance restarts; ends only by Ctrl-C. */
async function follow(
  desk: Desk,
  machine: string | undefined,
  past: readonly EventView[],
  line: (e: EventView) => string,
): Promise<void> {
  const print = async (event: EventView) =>
    desk.print(desk.format === "table" ? line(event) : await streamed(event, desk.format));
  for (const event of past) await print(event);
  // Without an event to go on from, a first look says where "now" is: nothing may fall between list and stream.
  let afterSeq = past.at(-1)?.seq ?? (await newestSeq(desk));
  let isToldGone = false;
  for (;;) {
    try {
      for await (const event of desk.client.follow<EventView>("/v1/events/follow", { machine, afterSeq })) {
        isToldGone = false;
        await print(event);
        afterSeq = event.seq;
      }
    } catch (fault) {
      if (!(fault instanceof SlipwayError && fault.code === "NOT_RUNNING")) throw fault;
    }
    if (!isToldGone) desk.note("The appliance is gone; waiting for it to come back (Ctrl-C ends).\n");
    isToldGone = true;
    await sleep(RECONNECT_MS);
  }
}

const newestSeq = async (desk: Desk): Promise<number> =>
  (await desk.client.get<{ events: EventView[] }>("/v1/events", { limit: 1 })).events[0]?.seq ?? 0;

/** One object a line, or one YAML document. */
const streamed = async (event: EventView, format: "json" | "yaml") =>
  format === "json" ? `${JSON.stringify(event)}\n` : `---\n${await formatValue(event, "yaml")}`;

const MARK = { alarm: "red", warning: "yellow", notice: "bold", info: undefined } as const;

/** Makes a line of each event in turn: the date when it changes, the time, the time since that machine's last event, the words. */
export function eventLines(isTerminal: boolean, withMac: boolean, width?: number): (event: EventView) => string {
  const last = new Map<string, number>();
  let lastDay = "";
  return (event) => {
    const today = day(event.at);
    const head = today === lastDay ? "" : `${today}\n`;
    lastDay = today;
    const key = event.mac ?? "";
    const since = last.has(key) ? event.at - last.get(key)! : undefined;
    last.set(key, event.at);
    const mac = withMac ? `${(event.mac ?? "appliance").padEnd(17)}  ` : "";
    const prefix = `${clock(event.at)}  ${delta(since).padStart(9)}  ${event.phase.padEnd(8)}  ${mac}`;
    const colour = MARK[event.level as keyof typeof MARK];
    const words = wrap(plain(event.text), prefix.length, width);
    return `${head}${prefix}${colour ? paint(colour, words, isTerminal) : words}\n`;
  };
}

/** `30m`, `2h`, `7d`, or a date and time → ISO-8601 UTC. */
export function parseSince(text: string, now: number): string {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const at = unit === undefined ? Date.parse(text) : now - Number(number) * UNIT_MS[unit]!;
  if (Number.isNaN(at)) {
    throw new SlipwayError(
      "BAD_REQUEST",
      `--since: must be a time ago such as 30m, 2h or 7d, or a date and time, found "${text}"`,
    );
  }
  return new Date(at).toISOString();
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 10_000)
    throw new SlipwayError("BAD_REQUEST", `--limit: must be a number from 1 to 10000, found "${text}"`);
  return Number(text);
}

export async function runLogs(machine: string, options: CommonOptions & { limit?: string }): Promise<void> {
  const limit = parseLimit(options.limit);
  const desk = await openDesk(options);
  const { lines } = await desk.client.get<{ lines: LogLineView[] }>("/v1/logs", { machine, limit });
  const none = `No log line of ${machine}. Lines come once its agent runs: \`slipway events ${machine}\` shows how far it is.\n`;
  await show(desk, lines, () =>
    lines.length === 0
      ? none
      : lines.map((l) => `${day(l.at)} ${clock(l.at)}  ${l.source.padEnd(6)}  ${plain(l.text)}\n`).join(""),
  );
}
