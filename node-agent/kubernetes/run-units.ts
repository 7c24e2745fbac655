// How the node's services are, with as few questions to systemd as possible. Edge: processes. Called by run-observe.ts at each
// look; run-services.ts takes the time of the last answer away when it starts one.
import { existsSync } from "node:fs";
import type { NodeContext } from "./context.ts";
import { readUnits, SYSTEMD_SILENT, type Units } from "./run-systemd.ts";
import { SERVICE_ORDER } from "./services.ts";

/**
 * systemd renders a hundred properties for each unit that it is asked for, and the question is a program: asked only when one of
 * them is not up or its process is gone, and now and then.
 */
const UNITS_TRUSTED_MS = 30_000;

/** Of those that were told to run. When systemd says nothing, what was last known holds. */
export async function lookAtUnits(context: NodeContext): Promise<Units> {
  const { unitsSeenMs } = context;
  const isFresh = unitsSeenMs !== undefined && performance.now() - unitsSeenMs < UNITS_TRUSTED_MS;
  if (!isFresh || !areAlive(wantedUnits(context))) await askUnits(context);
  return wantedUnits(context);
}

const wantedUnits = ({ settled, units }: NodeContext): Units =>
  Object.fromEntries(
    Object.entries(units ?? {}).filter(([name]) => (settled?.services ?? []).some((wanted) => wanted === name)),
  );

const areAlive = (units: Units): boolean =>
  Object.values(units).every(
    ({ activeState, pid }) => activeState === "active" && (pid === undefined || existsSync(`/proc/${pid}`)),
  );

async function askUnits(context: NodeContext): Promise<void> {
  const units = await readUnits(context.deps.run, SERVICE_ORDER);
  if (units === undefined) return context.tell.once("systemd", `${SYSTEMD_SILENT}.`);
  context.tell.over("systemd");
  context.units = units;
  context.unitsSeenMs = performance.now();
}
