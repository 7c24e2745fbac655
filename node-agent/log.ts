// The agent's own log: to standard error, which is the journal, and to the appliance with the next batch. Edge.

export type AgentLine = { uptimeUs: number; text: string; level: number };
export type AgentLog = {
  /** A sentence for an admin; never a secret. */
  info(text: string): void;
  warn(text: string): void;
  /** Lines since the last call, the oldest dropped first when nobody took them for long. */
  take(): AgentLine[];
};

const MOST_KEPT = 200;
/** Levels as the kernel counts them; systemd reads `<4>` as a warning (sd-daemon(3)). */
const LEVEL = { warn: 4, info: 6 } as const;

/** @param uptimeMs milliseconds since the kernel's start. */
export function openLog(uptimeMs: () => number, print = (text: string) => void process.stderr.write(text)): AgentLog {
  let kept: AgentLine[] = [];
  const write = (level: number, text: string) => {
    const line = text.replace(/\s+/g, " ");
    print(`<${level}>${line}\n`);
    kept = [...kept, { uptimeUs: Math.round(uptimeMs() * 1000), text: line, level }].slice(-MOST_KEPT);
  };
  return {
    info: (text) => write(LEVEL.info, text),
    warn: (text) => write(LEVEL.warn, text),
    take: () => {
      const lines = kept;
      kept = [];
      return lines;
    },
  };
}
