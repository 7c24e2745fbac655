// Runs the system's own programs (systemctl, networkctl) to their end. Edge: processes. Never a shell, never a throw: what went
// wrong is in the answer, as kubernetes/port.ts RunCommand has it.
import { execFile } from "node:child_process";
import type { RunCommand } from "../kubernetes/port.ts";

const TIMED_OUT = 124;
const NOT_STARTED = 127;
/** Longest output that is kept; lists of pods' containers are a few hundred kB. */
const MOST_BYTES = 8 * 1024 * 1024;

export const runCommand: RunCommand = (program, args, timeoutMs) =>
  new Promise((resolve) => {
    const options = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: MOST_BYTES, encoding: "utf8" } as const;
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, stderr });
      const { code, killed } = error;
      if (typeof code === "number") return resolve({ code, stdout, stderr });
      resolve({ code: killed === true ? TIMED_OUT : NOT_STARTED, stdout, stderr: stderr || error.message });
    });
  });
