// A batch of a machine's log lines → lines with the appliance's time. Pure. The machine's wall clock is not asked: it may be
// 1970, and its kernel counts from its own start.
import type { Mac } from "../../inventory/address.ts";
import type { LogLine } from "../../inventory/port.ts";
import type { LogBatch } from "../contract/generated/agent.ts";
import type { TokenBucket } from "../contract/token-bucket.ts";

/** A whole boot's lines at once, then what a machine in trouble prints; a broken driver can print a hundred thousand a second. */
export const LINE_RATE = { burst: 5000, perSecond: 300 };
const LONGEST_TEXT = 1000;

export type TakenLines = {
  lines: LogLine[];
  /** Lost on the machine, and over the rate here. */
  dropped: number;
  /** Highest kernel sequence number in the batch, 0 when it holds none. */
  lastSeq: bigint;
};

/** @param now milliseconds since 1970, when the batch came. */
export function takeLines(batch: LogBatch, mac: Mac, bucket: TokenBucket, now: number): TakenLines {
  const lines: LogLine[] = [];
  let dropped = Math.min(Number(batch.lost), 1e9);
  let lastSeq = 0n;
  for (const { seq, uptimeUs, text, fromAgent } of batch.lines) {
    if (seq > lastSeq) lastSeq = seq;
    if (!bucket.take(now)) {
      dropped++;
      continue;
    }
    const ageMs = Math.max(0, Number(batch.uptimeMs) - Number(uptimeUs) / 1000);
    const at = Math.max(0, Math.round(now - ageMs));
    lines.push({ at, mac, source: fromAgent ? "agent" : "kernel", text: printable(text) });
  }
  return { lines, dropped, lastSeq };
}

/** People read these in terminals. */
const printable = (text: string): string => text.slice(0, LONGEST_TEXT).replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
