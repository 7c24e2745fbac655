// One program running inside a namespace of the lab: its output kept, lines awaited, its end certain. Made by namespace.ts.
import { spawn } from "node:child_process";
import { SlipwayError } from "../../server/contract/errors.ts";

export type LabProcess = {
  pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the first match in stdout and stderr together, from `after` characters on. Throws when it ends or the time is over. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Exit code (128 + signal number when killed, 124 when the time was over and it had to be killed). */
  ended(timeoutMs?: number): Promise<number>;
  write(text: string): void;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after 3 s; resolves when it is gone. */
  stop(): Promise<number>;
};

const SIGNAL_NUMBER: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Signals a program and all that it started; one that is gone already is no fault. */
function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // It ended by itself.
  }
}

type SpawnOptions = { env?: NodeJS.ProcessEnv; input?: string };

/** Starts `command` in the namespace. `ip netns exec` becomes the command, so `pid` is the command's own. */
export const spawnInNamespace = (ns: string, command: readonly string[], options: SpawnOptions): LabProcess =>
  spawnProcess(["ip", "netns", "exec", ns, ...command], options);

/** Starts `command` as it is, in a process group of its own. */
export function spawnProcess(command: readonly string[], options: SpawnOptions): LabProcess {
  const child = spawn(command[0]!, command.slice(1), {
    stdio: "pipe",
    // A group of its own, so that what the program started ends with it. The terminal's Ctrl-C then reaches only us: see hookExit.
    detached: true,
    env: { ...process.env, ...options.env },
  });
  let [stdout, stderr, all] = ["", "", ""];
  let code: number | undefined;
  const listeners = new Set<() => void>();
  const changed = () => {
    for (const listener of [...listeners]) listener();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    all += text;
    changed();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    all += text;
    changed();
  });
  child.stdin.on("error", () => {}); // A program that does not read its input is no fault of the lab.
  if (options.input !== undefined) child.stdin.end(options.input);
  const gone = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      code = status ?? 128 + (SIGNAL_NUMBER[signal ?? ""] ?? 0);
      changed();
      resolve(code);
    });
  });
  gone.catch(() => {});

  const waitFor = (pattern: RegExp, timeoutMs = 10_000) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const fail = (why: string) =>
        finish(() =>
          reject(
            new SlipwayError("COMMAND_FAILED", `${command.join(" ")}: ${why} before ${pattern}; it said:\n${all}`),
          ),
        );
      const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
      const finish = (then: () => void) => {
        clearTimeout(timer);
        listeners.delete(look);
        then();
      };
      const look = () => {
        const match = new RegExp(pattern.source, pattern.flags.replace("g", "")).exec(all);
        if (match) finish(() => resolve(match));
        else if (code !== undefined) fail(`ended with ${code}`);
      };
      listeners.add(look);
      look();
    });

  const ended = async (timeoutMs?: number) => {
    if (timeoutMs === undefined) return gone;
    const timer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), timeoutMs);
    const status = await gone.finally(() => clearTimeout(timer));
    return status === 137 ? 124 : status;
  };
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    waitFor,
    ended,
    write: (text) => void child.stdin.write(text),
    signal: (name) => signalGroup(child.pid, name),
    stop: async () => {
      if (code !== undefined) return code;
      signalGroup(child.pid, "SIGTERM");
      const timer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), 3000);
      return gone.catch(() => 1).finally(() => clearTimeout(timer));
    },
  };
}
