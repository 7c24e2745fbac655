// The appliance's entry: settings → log → everything else → wait for a signal. `slipway serve` and `npm start` call serve().
// No rule lives here; server/appliance/ builds the rooms and stops them in order.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runAppliance } from "./appliance/run-appliance.ts";
import { PROJECT_DIR, readConfig } from "./config/read-config.ts";
import { ERRORS, SlipwayError } from "./contract/errors.ts";
import { openLog } from "./log.ts";

export type ServeOptions = { configFile?: string; interfaces?: readonly string[] };

/**
 * Runs the appliance in the foreground until SIGTERM or SIGINT.
 *
 * @returns the exit code: 0 after a clean stop, else the `exit` of the first fault (docs/errors.md). Every fault that keeps
 *   it from starting is printed, with its remedy.
 */
export async function serve(options: ServeOptions): Promise<number> {
  const stop = stopSignal();
  try {
    const config = readConfig({ file: options.configFile, interfaceNames: options.interfaces ?? [] });
    const log = openLog({ level: config.log.level, format: config.log.format });
    const appliance = await runAppliance(config, log, version());
    const signal = await stop;
    log.info(`Stopping (${signal}).`);
    await appliance.close();
    log.info("Stopped.");
    return 0;
  } catch (cause) {
    return printFaults(cause);
  }
}

export const version = (): string => JSON.parse(readFileSync(join(PROJECT_DIR, "package.json"), "utf8")).version;

const stopSignal = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });

/** Prints each fault as cause and remedy. @returns the exit code of the first. */
function printFaults(cause: unknown): number {
  const faults = cause instanceof AggregateError ? cause.errors : [cause];
  for (const fault of faults) {
    if (fault instanceof SlipwayError) process.stderr.write(`slipway: ${fault.message}\n  ${fault.remedy}\n`);
    else process.stderr.write(`slipway: a fault inside: ${fault instanceof Error ? fault.stack : String(fault)}\n`);
  }
  const first = faults[0];
  return first instanceof SlipwayError ? ERRORS[first.code].exit : 1;
}
