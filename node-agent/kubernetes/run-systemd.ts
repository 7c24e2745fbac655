// Talks to systemd by systemctl: state of units, start, restart, stop. Edge: processes. Called by run-settle.ts,
// run-observe.ts and run-node.ts.
import { uptime } from "node:os";
import type { UnitState } from "./node-status.ts";
import type { RunCommand } from "./port.ts";

const START_TIMEOUT_MS = 90_000;
const SHOW_TIMEOUT_MS = 10_000;
const PROPERTIES = ["Id", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainStartTimestampMonotonic"];

/** By name without `.service`; a unit that was never started is `inactive`. */
export async function readUnits(run: RunCommand, names: readonly string[]): Promise<Record<string, UnitState>> {
  const ids = names.map((name) => `${name}.service`);
  const { stdout } = await run("systemctl", ["show", "-p", PROPERTIES.join(), ...ids], SHOW_TIMEOUT_MS);
  return parseUnits(stdout, Date.now() - uptime() * 1000);
}

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
    units[fields.Id.replace(/\.service$/, "")] = {
      activeState: fields.ActiveState ?? "inactive",
      subState: fields.SubState ?? "dead",
      result: fields.Result ?? "",
      restarts: Number(fields.NRestarts ?? 0),
      startedAtMs: bootedAtMs + Number(fields.ExecMainStartTimestampMonotonic ?? 0) / 1000,
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
