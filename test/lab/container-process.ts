// Into a running container node from outside: its PID 1, mounts in its namespace, programs of its image, its journal.
// Called by container.ts.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { ExecResult, Lab } from "./namespace.ts";
import type { LabProcess } from "./namespace-process.ts";

/** SIGRTMIN+4, by number because Node has no name for it: systemd's "power off" (systemd(1)). */
export const POWER_OFF = 38;

const STARTS_WITHIN_MS = 10_000;

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
};

/**
 * PID 1 of the guest, once it is systemd: then all of nspawn's own mounts are made.
 * @throws COMMAND_FAILED with nspawn's words when it ends instead.
 */
export async function leaderOf(nspawn: LabProcess): Promise<number> {
  let code: number | undefined;
  void nspawn.ended().then((status) => {
    code = status;
  });
  const until = Date.now() + STARTS_WITHIN_MS;
  while (code === undefined && Date.now() < until) {
    const children = read(`/proc/${nspawn.pid}/task/${nspawn.pid}/children`).split(" ").filter(Boolean);
    const leader = children.find((pid) => read(`/proc/${pid}/comm`).trim() === "systemd");
    if (leader !== undefined) return Number(leader);
    await sleep(20);
  }
  await nspawn.stop();
  const why = code === undefined ? `was not up within ${STARTS_WITHIN_MS / 1000} s` : `ended with ${code}`;
  throw new SlipwayError("COMMAND_FAILED", `a container node ${why}: ${nspawn.stderr()}${nspawn.stdout()}`);
}

/** mount(8) in the node's mount namespace, with the host's program: the image may have none. */
export const mountInside = (leader: number, args: readonly string[]): void =>
  void execFileSync("mount", ["-N", `/proc/${leader}/ns/mnt`, ...args], { stdio: "pipe" });

/** Runs a program of the image in all of the node's namespaces and in its control groups. */
export async function execInside(
  lab: Lab,
  leader: number,
  command: readonly string[],
  { timeoutMs = 60_000, mayFail = false }: { timeoutMs?: number; mayFail?: boolean },
): Promise<ExecResult> {
  const child = lab.spawnHere(["nsenter", "--target", String(leader), "--all", ...command]);
  const code = await child.ended(timeoutMs);
  const result = { code, stdout: child.stdout(), stderr: child.stderr() };
  if (code === 0 || mayFail) return result;
  const said = (result.stderr + result.stdout).trim();
  throw new SlipwayError("COMMAND_FAILED", `${command.join(" ")} (in a container node) ended with ${code}: ${said}`);
}

/** The last lines of the node's journal, read by the host's journalctl, without the host's kernel; empty when it is off. */
export function journalOf(leader: number, lines: number): string {
  if (leader === 0) return "";
  const dir = `/proc/${leader}/root/run/log/journal`;
  const own = ["_TRANSPORT=journal", "+", "_TRANSPORT=stdout", "+", "_TRANSPORT=syslog"];
  const args = ["--directory", dir, "--no-pager", "--output=short-monotonic", "--lines", String(lines), ...own];
  return execFileSync("journalctl", args, { stdio: ["ignore", "pipe", "pipe"], maxBuffer: 64 * 2 ** 20 }).toString();
}
