// Talks to systemd by systemctl: state of units, start, restart, stop. Edge: processes. Called by run-settle.ts,
// run-observe.ts and run-node.ts.
import { uptime } from "node:os";
import type { UnitState } from "./node-status.ts";
import type { RunCommand } from "./port.ts";

/** systemd ends a job by itself when its unit's own time is over; this is for a systemd that says nothing at all. */
const START_TIMEOUT_MS = 600_000;
/** On an emulated processor of a busy host such a program alone needs more than ten seconds. */
const SHOW_TIMEOUT_MS = 120_000;
const PROPERTIES = [
  "Id",
  "ActiveState",
  "SubState",
  "Result",
  "NRestarts",
  "MainPID",
  "ExecMainStartTimestampMonotonic",
];

export type Units = Readonly<Record<string, UnitState>>;

/**
 * By name without `.service`; a unit that was never started is `inactive`.
 * @returns undefined when systemd did not answer for all of them: nothing is known then, and nothing follows from it.
 */
export async function readUnits(run: RunCommand, names: readonly string[]): Promise<Units | undefined> {
  const ids = names.map((name) => `${name}.service`);
  const { code, stdout } = await run("systemctl", ["show", "-p", PROPERTIES.join(), ...ids], SHOW_TIMEOUT_MS);
  const units = parseUnits(stdout, Date.now() - uptime() * 1000);
  return code === 0 && names.every((name) => units[name] !== undefined) ? units : undefined;
}

/** What there is to say when `readUnits` has no answer. */
export const SYSTEMD_SILENT = "systemd does not say how the node's services are; the agent asks again";

/**
 * Blocks of `Key=value` lines, one a unit, apart by an empty line.
 * @param bootedAtMs milliseconds since 1970, by today's clock: systemd's own wall times are of the clock as it was then.
 */
export function parseUnits(text: string, bootedAtMs: number): Record<string, UnitState> {
  const units: Record<string, UnitState> = {};
  for (const block of text.split(/\n\n+/)) {
    const fields = Object.fromEntries(
      block
        .split("\n")
        .filter((line) => line.includes("="))
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    ) as Record<string, string>;
    if (fields.Id === undefined) continue;
    const pid = Number(fields.MainPID ?? 0);
    units[fields.Id.replace(/\.service$/, "")] = {
      activeState: fields.ActiveState ?? "inactive",
      subState: fields.SubState ?? "dead",
      result: fields.Result ?? "",
      restarts: Number(fields.NRestarts ?? 0),
      startedAtMs: bootedAtMs + Number(fields.ExecMainStartTimestampMonotonic ?? 0) / 1000,
      ...(pid > 0 ? { pid } : {}),
    };
  }
  return units;
}

/** @param isAwaited until it is up; else the order is given and its outcome seen later. @returns the complaint, if any. */
export async function systemctl(
  run: RunCommand,
  verb: "start" | "stop" | "restart",
  names: readonly string[],
  isAwaited = true,
): Promise<string | undefined> {
  const ids = names.map((name) => `${name}.service`);
  const how = isAwaited ? [] : ["--no-block"];
  const { code, stderr, stdout } = await run("systemctl", [verb, ...how, ...ids], START_TIMEOUT_MS);
  return code === 0
    ? undefined
    : `systemctl ${verb} ${names.join(" ")}: ${(stderr || stdout).trim() || `status ${code}`}`;
}
