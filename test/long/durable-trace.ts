// Reads an strace of the serving process and says for each ACK whether the disk had the lease before the ACK left. Pure;
// durable-ack.ts makes the trace. `kill -9` cannot show this: what was written but not synced survives it.

/** A lease that was acknowledged. `row`: the text by which its row is found in a page of the write-ahead log. */
export type Acknowledged = { mac: string; row: string };
export type Verdict = { mac: string; isDurable: boolean; why: string };

/** `5 pwrite64(21<…/inventory.db-wal>, "\x37…", 4096, 32) = 4096`; `-xx` makes all strings hex. */
type Call = { name: string; path: string; hex: string; isDone: boolean; begunAt: number; endedAt: number };

/** Calls in the order in which they ended; those that were cut in two by another thread are put together again. */
export function parseTrace(text: string): Call[] {
  const unfinished = new Map<string, { text: string; at: number }>();
  const calls: Call[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    const [, pid = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(pid, { text: rest.slice(0, -"<unfinished ...>".length), at });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const before = resumed ? unfinished.get(pid) : undefined;
    const whole = resumed ? (before?.text ?? "") + resumed[1] : rest;
    const [, name, fd] = /^(\w+)\((\d+<[^>]*>)/.exec(whole) ?? [];
    if (name === undefined) continue;
    const hex = [...whole.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((m) => m[1]!.replaceAll("\\x", "")).join("");
    calls.push({ name, path: pathOf(fd!), hex, isDone: !/= -1 /.test(whole), begunAt: before?.at ?? at, endedAt: at });
  }
  return calls;
}

/** `-xx` turns the path behind a descriptor to hex as well in some versions of strace. */
function pathOf(fd: string): string {
  const inside = fd.replace(/^\d+</, "").replace(/>$/, "");
  return inside.includes("\\x") ? Buffer.from(inside.replaceAll("\\x", ""), "hex").toString("latin1") : inside;
}

const hexOf = (text: string) => Buffer.from(text, "latin1").toString("hex");
const SYNCS = new Set(["fdatasync", "fsync"]);
const SENDS = new Set(["sendmsg", "sendto", "sendmmsg"]);
/** Magic cookie, then option 53 = ACK. */
const ACK = "63825363350105";

/**
 * @returns a verdict per lease. Durable means: the row's page was written to the log, then a sync of the log began and
 *   returned, and only then the ACK was sent.
 */
export function judgeTrace(text: string, leases: readonly Acknowledged[]): Verdict[] {
  const calls = parseTrace(text).filter((call) => call.isDone);
  return leases.map(({ mac, row }) => {
    const chaddr = mac.replaceAll(":", "");
    const send = calls.findIndex((c) => SENDS.has(c.name) && c.hex.includes(chaddr) && c.hex.includes(ACK));
    if (send < 0) return { mac, isDurable: false, why: "no ACK was seen in the trace" };
    const written = calls.findIndex(
      (c) => /^p?write/.test(c.name) && c.path.endsWith("-wal") && c.hex.includes(hexOf(row)),
    );
    const leftAt = calls[send]!.begunAt;
    if (written < 0 || calls[written]!.endedAt > leftAt)
      return { mac, isDurable: false, why: "the ACK left before the lease was written" };
    // The sync runs in another thread: it counts when it began after the write had ended, and ended before the send began.
    const wasSynced = calls.some(
      (c) => SYNCS.has(c.name) && c.path.endsWith("-wal") && c.begunAt > calls[written]!.endedAt && c.endedAt < leftAt,
    );
    if (!wasSynced) return { mac, isDurable: false, why: "the ACK left before the log was synced" };
    return { mac, isDurable: true, why: "written, synced, acknowledged" };
  });
}
