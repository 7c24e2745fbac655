// Between the sockets and run-answer.ts: takes datagrams off the kernel's queue as fast as they come, answers for a bounded
// time per turn of the event loop, drops what is too late (arrival-queue.ts), and tells people once when that happens. The
// kernel's own queue must stay short: it is oldest-first, and nobody can see how long a datagram has been in it.
// Opened by run-interface.ts, one per interface.
import type { Log, RecordEvent } from "../boot/ports.ts";
import type { Arrival, Counters } from "./answer-context.ts";
import { ArrivalQueue, peekArrival } from "./arrival-queue.ts";

export type ArrivalDeps = {
  interfaceName: string;
  counters: Counters;
  log: Log;
  record: RecordEvent;
  /** Never rejects. */
  answer: (arrival: Arrival) => Promise<void>;
};
export type Arrivals = { heard(arrival: Arrival): void; close(): void };

/** Decisions of one turn; the commit of what they decided comes on top. */
const TURN_MS = 8;
/** libuv reads so many datagrams per turn and socket: as many means that there are more. */
const READ_AT_ONCE = 32;
/** Reading alone, without an answer, for so long at most: reading what will be dropped must not take the time for answers. */
const DRAIN_MS = 6;
/** Answers that wait for the wire (ARP) or the disk. */
const MAX_UNDER_WAY = 2048;
/** From the first drop to the sentence about it, so that it can say how many. */
const TELL_AFTER_MS = 1000;
/** An episode of overload is over after this long without a drop. */
const QUIET_MS = 60_000;

export function runArrivals(deps: ArrivalDeps): Arrivals {
  const { counters } = deps;
  const queue = new ArrivalQueue<Arrival>();
  const overload = watchOverload(deps);
  let [heardThisTurn, drainingSince, underWay] = [0, 0, 0];
  let isScheduled = false;
  let isOpen = true;

  const schedule = () => {
    if (isScheduled || !isOpen) return;
    isScheduled = true;
    setImmediate(turn);
  };
  const turn = () => {
    isScheduled = false;
    const begun = performance.now();
    const hasMore = heardThisTurn >= READ_AT_ONCE;
    heardThisTurn = 0;
    if (hasMore && begun - drainingSince < DRAIN_MS) return schedule();
    drainingSince = performance.now();
    answerSome(begun);
    if (queue.size > 0 && underWay < MAX_UNDER_WAY) schedule();
  };
  const answerSome = (begun: number) => {
    const dropped = queue.dropLate(begun);
    if (dropped > 0) overload.dropped(dropped);
    while (underWay < MAX_UNDER_WAY && isOpen) {
      const now = performance.now();
      const arrival = now - begun < TURN_MS ? queue.take(now) : undefined;
      if (arrival === undefined) return;
      underWay++;
      void deps.answer(arrival).then(answered);
    }
  };
  const answered = () => {
    if (underWay-- === MAX_UNDER_WAY) schedule();
  };

  return {
    heard(arrival) {
      const now = performance.now();
      if (queue.size === 0) drainingSince = now;
      if (queue.put(arrival, peekArrival(arrival.bytes, arrival.port), now) === "repeated") counters.repeated++;
      heardThisTurn++;
      schedule();
    },
    close() {
      isOpen = false;
      overload.close();
    },
  };
}

/** One alarm and one line per episode, however many are dropped. */
function watchOverload({ interfaceName, counters, log, record }: ArrivalDeps) {
  let episode: { begun: number; last: number } | undefined;
  let timer: NodeJS.Timeout | undefined;

  const tell = () => {
    const dropped = counters.dropped - episode!.begun;
    record({ kind: "dhcp-overload", detail: { interface: interfaceName, dropped } });
    log.warn(
      `${interfaceName}: more DHCP requests come than can be answered in time: ${dropped} were dropped in a second. ` +
        "The newest are answered first; machines ask again by themselves.",
    );
    timer = setTimeout(lookForEnd, QUIET_MS);
  };
  const lookForEnd = () => {
    const quietMs = performance.now() - episode!.last;
    if (quietMs < QUIET_MS) {
      timer = setTimeout(lookForEnd, QUIET_MS - quietMs);
      return;
    }
    const dropped = counters.dropped - episode!.begun;
    episode = undefined;
    log.info(`${interfaceName}: DHCP requests are answered in time again; ${dropped} were dropped.`);
  };
  return {
    dropped(count: number) {
      episode ??= startEpisode();
      episode.last = performance.now();
      counters.dropped += count;
    },
    close: () => clearTimeout(timer),
  };
  function startEpisode() {
    timer = setTimeout(tell, TELL_AFTER_MS);
    return { begun: counters.dropped, last: 0 };
  }
}
