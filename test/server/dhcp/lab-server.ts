// A DHCP-serving process for tests inside a namespace: the real service on the real inventory, nothing else of the appliance.
// Started by rig.ts: `node lab-server.ts DATA_DIR SETTINGS_JSON`. Each line on stdout is JSON: an event, a log line, a status.
import type { Lease } from "../../../inventory/lease.ts";
import { openInventory } from "../../../inventory/store.ts";
import { serveDhcp } from "../../../server/dhcp/service.ts";

const [dataDir, settingsText, optionsText] = process.argv.slice(2);
/** `isLying`: leases are called saved before they are, so that the durability checks can be seen to fail. */
type Options = { synchronous?: "FULL" | "NORMAL"; isQuiet?: boolean; isLying?: boolean };
const options = JSON.parse(optionsText ?? "{}") as Options;
const say = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const logAs = (level: string) => (text: string, fields?: object) => {
  if (!options.isQuiet) say({ log: level, text, ...fields });
};
const log = { debug: logAs("debug"), info: logAs("info"), warn: logAs("warn"), error: logAs("error") };

const real = await openInventory({
  dataDir: dataDir!,
  retention: { eventsMs: 86_400_000, logBytes: 1_000_000 },
  log,
  ...(options.synchronous && { synchronous: options.synchronous }),
});
const lie = async (leases: readonly Lease[]) => void setTimeout(() => void real.saveLeases(leases), 100);
const inventory = options.isLying ? { ...real, saveLeases: lie } : real;
try {
  const service = await serveDhcp({
    interfaces: JSON.parse(settingsText!),
    inventory,
    httpPort: 8080,
    log,
    record: (event) => {
      if (!options.isQuiet) say({ event: event.kind, mac: event.mac, ...event.detail });
      inventory
        .recordEvents([{ ...event, at: Date.now() }], "soon")
        .catch((cause) => log.warn(`event lost: ${cause.message}`));
    },
    loopCount: () => 0,
  });
  say({ ready: true, ...service.status() });
  process.on("SIGUSR2", () => say({ status: service.status() }));
  process.on("SIGTERM", async () => {
    await service.close();
    await inventory.close();
    process.exit(0);
  });
} catch (cause) {
  const { code, message, remedy } = cause as { code?: string; message: string; remedy?: string };
  say({ fault: code ?? "?", message, remedy });
  await inventory.close();
  process.exit(3);
}
