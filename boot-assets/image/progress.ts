// Says what a long step does: one line that grows on a terminal, a line every five seconds elsewhere. Called by
// download.ts and build.ts.

export type Progress = {
  /** One line of its own. */
  say(line: string): void;
  /** A step whose size is known. */
  start(title: string, totalBytes: number): void;
  add(bytes: number): void;
  end(): void;
};

const mib = (bytes: number) => `${(bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0)} MiB`;

/** "Fetching 3 packages: 12 of 40 MiB, 8.1 MiB/s, 4 s left". Pure. */
export function progressLine(title: string, done: number, total: number, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0;
  const left = rate > 0 && total > done ? `, ${Math.ceil((total - done) / rate)} s left` : "";
  return `${title}: ${mib(done)} of ${mib(total)}, ${mib(rate)}/s${left}`;
}

/** Writes to a stream; `\r` only where it is a terminal. */
export function openProgress(out: NodeJS.WriteStream): Progress {
  let step = { title: "", total: 0, done: 0, startedMs: 0, shownMs: 0 };
  const everyMs = out.isTTY ? 200 : 5000;
  const show = (nowMs: number) => {
    const line = progressLine(step.title, step.done, step.total, nowMs - step.startedMs);
    out.write(out.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    step.shownMs = nowMs;
  };
  return {
    say: (line) => void out.write(`${line}\n`),
    start(title, total) {
      const nowMs = Date.now();
      step = { title, total, done: 0, startedMs: nowMs, shownMs: nowMs };
    },
    add(bytes) {
      step.done += bytes;
      const nowMs = Date.now();
      if (nowMs - step.shownMs >= everyMs) show(nowMs);
    },
    end() {
      show(Date.now());
      if (out.isTTY) out.write("\n");
    },
  };
}
