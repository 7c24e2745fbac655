// Starts other programs for the set-up, with the terminal handed through, signals passed on and exit codes kept.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "./say.mjs";

/** The clone this file is part of. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Node 24, as npm installed it: everything but the set-up runs with it. */
export const NODE = join(ROOT, "node_modules", ".bin", "node");

const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a program in the clone with our terminal; resolves with its exit code (128 + signal number when a signal ended it).
 * A terminal sends Ctrl-C to the program as well as to us: then it is not sent twice.
 */
export function runProgram(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: "inherit", ...options });
    const passOn = (signal) => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of PASSED_ON) process.on(signal, passOn);
    const done = () => {
      for (const signal of PASSED_ON) process.removeListener(signal, passOn);
    };
    child.once("error", (cause) => {
      done();
      reject(new SetupError(`${command} could not be started: ${cause.message}`, "Install it, then run this again."));
    });
    child.once("exit", (code, signal) => {
      done();
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** @throws SetupError unless `code` is 0; what Ctrl-C ended ends the set-up without a complaint. */
export function assertDone(code, message, remedy) {
  if (code === 0) return;
  if (code === 130 || code === 143)
    throw new SetupError("stopped; the same command goes on from here", undefined, code);
  throw new SetupError(message, remedy, code);
}
