// How far an install is, told at each stage's start and end and once a second in between. Edge: a timer and a clock.
// run-install.ts and run-reset.ts open it; the session sends what it reports.
import type { InstallStep } from "../../server/contract/generated/agent.ts";

/** Well under the two seconds that the contract allows. */
const TELL_EVERY_MS = 1000;

export type Progress = {
  /** A stage begins; the one before it must have ended. */
  begin(stage: { number: number; of: number; text: string; bytesTotal: number }): void;
  addBytes(bytes: number): void;
  /** Why it waits, or undefined when it does not any more; told with the next report. */
  setWait(reason: string | undefined): void;
  /** The stage is done. @param remark what there is to say of it, beside its text. */
  end(remark?: string): void;
  close(): void;
};

type Current = { number: number; of: number; text: string; bytesTotal: number; bytesDone: number; beganMs: number };

/** @param order stands in each report. @param uptimeMs a clock that nobody sets. */
export function openProgress(order: string, report: (step: InstallStep) => void, uptimeMs: () => number): Progress {
  let current: Current | undefined;
  let wait: string | undefined;
  const tell = (done: boolean, remark?: string) => {
    if (current === undefined) return;
    const { number, of, text, bytesTotal, bytesDone, beganMs } = current;
    report({
      order,
      number,
      of,
      text: [text, remark ?? (done ? undefined : wait)].filter((part) => part !== undefined).join("; "),
      done,
      bytesDone: BigInt(done ? bytesTotal : Math.min(bytesDone, bytesTotal)),
      bytesTotal: BigInt(bytesTotal),
      elapsedMs: Math.round(uptimeMs() - beganMs),
    });
  };
  const timer = setInterval(() => tell(false), TELL_EVERY_MS);
  timer.unref();
  return {
    begin: (stage) => {
      current = { ...stage, bytesDone: 0, beganMs: uptimeMs() };
      tell(false);
    },
    addBytes: (bytes) => {
      if (current !== undefined) current.bytesDone += bytes;
    },
    setWait: (reason) => {
      const isNew = wait === undefined && reason !== undefined;
      wait = reason;
      if (isNew) tell(false);
    },
    end: (remark) => {
      tell(true, remark);
      current = undefined;
    },
    close: () => clearInterval(timer),
  };
}
