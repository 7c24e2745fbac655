// The appliance's entry: settings → log → everything else → wait for a signal. `slipway serve` and `npm start` call serve().
// No rule lives here; server/appliance/ builds the rooms and stops them in order.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openOutput } from "./appliance/open-output.ts";
import { runAppliance } from "./appliance/run-appliance.ts";
import { PROJECT_DIR, readConfig } from "./config/read-config.ts";
import { openLog } from "./log.ts";

export type ServeOptions = { configFile?: string; interfaces?: readonly string[] };

/**
 * Runs the appliance in the foreground until SIGTERM, SIGINT, or SIGHUP (its terminal is gone). One that comes while it
 * starts is obeyed as soon as it has started; a second one ends it at once, and nothing acknowledged is lost by that.
 *
 * @throws SlipwayError, or an AggregateError with every fault that keeps it from starting; nothing is left open.
 */
export async function serve(options: ServeOptions): Promise<void> {
  // Before anything is made: between its making and its chmod, admin.sock would be open to all under a umask of 000.
  process.umask(0o077);
  const stop = stopSignal();
  const config = readConfig({ file: options.configFile, interfaceNames: options.interfaces ?? [] });
  const output = openOutput();
  const log = openLog({ level: config.log.level, format: config.log.format, output });
  const appliance = await runAppliance(config, log, version());
  output.watch({
    onLost: (reason) => appliance.record({ kind: "log-lost", detail: { reason } }),
    onBack: (lines, reason) => log.warn(`${lines} lines of this log were lost: ${reason}.`),
  });
  const signal = await stop;
  log.info(`Stopping (${signal}).`);
  await appliance.close();
  log.info("Stopped.");
}

export const version = (): string => JSON.parse(readFileSync(join(PROJECT_DIR, "package.json"), "utf8")).version;

const stopSignal = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => resolve(signal));
  });
