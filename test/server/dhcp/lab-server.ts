// A DHCP-serving process for tests inside a namespace: the real service on the real inventory, nothing else of the appliance.
// Started by rig.ts: `node lab-server.ts DATA_DIR SETTINGS_JSON`. Each line on stdout is JSON: an event, a log line, a status.
import { openInventory } from "../../../inventory/store.ts";
import { serveDhcp } from "../../../server/dhcp/service.ts";

const [dataDir, settingsText, optionsText] = process.argv.slice(2);
const options = JSON.parse(optionsText ?? "{}") as { synchronous?: "FULL" | "NORMAL"; isQuiet?: boolean };
const say = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const logAs = (level: string) => (text: string, fields?: object) => {
  if (!options.isQuiet) say({ log: level, text, ...fields });
};
const log = { debug: logAs("debug"), info: logAs("info"), warn: logAs("warn"), error: logAs("error") };

const inventory = await openInventory({
  dataDir: dataDir!,
  retention: { eventsMs: 86_400_000, logBytes: 1_000_000 },
  log: {
    info: (fields: object, text: string) => log.info(text, fields),
    warn: (fields: object, text: string) => log.warn(text, fields),
    error: (fields: object, text: string) => log.error(text, fields),
  } as never,
  ...(options.synchronous && { synchronous: options.synchronous }),
});
try {
  const service = await serveDhcp({
    interfaces: JSON.parse(settingsText!),
    inventory,
    httpPort: 8080,
    log,
    record: (event) => {
      if (!options.isQuiet) say({ event: event.kind, mac: event.mac, ...event.detail });
      inventory.recordEvents([{ ...event, at: Date.now() }]).catch((cause) => log.warn(`event lost: ${cause.message}`));
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
