// Builds the rooms in order, joins them, and stops them in the reverse order. server/main.ts calls it.
import { join } from "node:path";
import { openAssets } from "../../boot-assets/store.ts";
import type { Inventory } from "../../inventory/port.ts";
import { openInventory } from "../../inventory/store.ts";
import { LOOP_PATH } from "../boot/paths.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { BootService } from "../boot/service.ts";
import { adminSocketPath } from "../config/cross-checks.ts";
import type { ReadConfig } from "../config/read-config.ts";
import { type DhcpService, serveDhcp } from "../dhcp/service.ts";
import { serveGrpc } from "../grpc/server.ts";
import { observeInterfaces } from "../observe.ts";
import { listenAdmin } from "../rest/admin-socket.ts";
import { buildAdminApp } from "../rest/app.ts";
import { actorOfPeer } from "../rest/peer-socket.ts";
import { openSecrets } from "../secrets/store.ts";
import { Neighbours } from "./neighbour-service.ts";
import { runAlarms } from "./run-alarms.ts";
import { runListeners } from "./run-listeners.ts";
import { statusDocument } from "./status.ts";

export type Appliance = { close(): Promise<void> };

/** A ticket is good for this long after the script was asked for (design §6.1). */
const TICKET_MS = 15 * 60_000;

/** What was opened so far, to be closed in the reverse order. */
class Opened {
  readonly #closers: (() => unknown)[] = [];
  add<T extends { close(): unknown }>(part: T): T {
    this.#closers.push(() => part.close());
    return part;
  }
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

/**
 * Starts everything.
 * @throws SlipwayError, or an AggregateError of them: what was opened is closed again.
 */
export async function runAppliance(config: ReadConfig, log: Log, version: string): Promise<Appliance> {
  const opened = new Opened();
  try {
    await open(opened, config, log, version);
    return opened;
  } catch (cause) {
    await opened.close();
    throw cause;
  }
}

async function open(opened: Opened, config: ReadConfig, log: Log, version: string): Promise<void> {
  const startedAt = new Date().toISOString();
  const { dataDir, interfaces, http, grpc } = config;
  const secrets = await openSecrets({ dataDir, identityPath: config.identity, log });
  const inventory = opened.add(await openInventory({ dataDir, retention: config.retention, log }));
  const record = recorder(inventory, log);
  const assets = opened.add(
    await openAssets({
      dir: join(dataDir, "assets"),
      cacheBytes: config.cache.bytes,
      log,
      record,
      marks: { read: (name) => inventory.readMark(name), write: (name, value) => inventory.writeMark(name, value) },
      isSigned: secrets.isOwnersSignature,
    }),
  );
  const neighbours = new Neighbours();
  const strangersOf = new Map(interfaces.map((one) => [one.name, one.strangers]));
  const boot = new BootService({
    ...{ inventory, record, log, httpPort: http.port, grpcPort: grpc.port, ticketMs: TICKET_MS },
    caFingerprint: secrets.ca.fingerprint,
    strangersAt: (ip) => {
      const at = observeInterfaces().find((one) => one.addresses.includes(ip));
      return strangersOf.get(at?.name ?? "") ?? "ignore";
    },
    imageFor: (arch) => assets.find({ arch }),
    macOf: (ip) => neighbours.macOf(ip),
  });
  const alarms = opened.add(await runAlarms(inventory));
  const parts: { dhcp?: DhcpService } = {};
  const admin = await buildAdminApp({
    ...{ inventory, log, version, now: Date.now, actorOf: actorOfPeer },
    status: async () =>
      statusDocument({
        ...{ version, startedAt, config, interfaces: observeInterfaces(), alarms: alarms.list() },
        dhcp: parts.dhcp?.status().interfaces ?? [],
        assets: assets.status(),
      }),
  });
  opened.add(admin);
  const serveAgents = () =>
    serveGrpc({
      ...{ addresses: [], port: grpc.port, authority: secrets.ca, inventory, log, record, now: Date.now },
      ownerPublicKey: secrets.ownerPublicKeyPem,
    });
  await together([
    async () => listenAdmin(admin, { path: adminSocketPath(dataDir), group: config.adminGroup }),
    async () => {
      const agents = opened.add(await serveAgents());
      opened.add(await runListeners({ config, boot, assets, agents, neighbours, log, record }));
    },
    async () => {
      const loopPath = LOOP_PATH.slice(1);
      const loopCount = (mac: string) => boot.loopCount(mac);
      parts.dhcp = opened.add(
        await serveDhcp({ interfaces, inventory, httpPort: http.port, log, record, loopCount, loopPath }),
      );
      neighbours.setLeases(parts.dhcp);
    },
  ]);
  sayWhatIsServed(config, log, version);
  record({ kind: "server-started", detail: { version } });
  await checkAudit(inventory, log, record);
}

/** A broken chain keeps nobody from booting, and is never passed over in silence. */
async function checkAudit(inventory: Inventory, log: Log, record: RecordEvent): Promise<void> {
  const seq = await inventory.checkAudit();
  if (seq === undefined) return;
  log.error(
    `The audit log was changed by hand: entry ${seq} does not fit the one before it. See: slipway audit --verify`,
  );
  record({ kind: "audit-damaged", detail: { seq } });
}

/** Events are written without waiting; a failing disk is told once per fault by the inventory's own alarm. */
function recorder(inventory: Inventory, log: Log): RecordEvent {
  return (event) => {
    inventory
      .recordEvents([{ ...event, at: Date.now() }])
      .catch((cause) => log.error(`An event could not be written: ${cause instanceof Error ? cause.message : cause}`));
  };
}

/** Runs all, and throws all faults of all, so that a person mends them in one go. */
async function together(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const results = await Promise.allSettled(tasks.map((task) => task()));
  const faults = results.flatMap((r) => (r.status === "rejected" ? faultsIn(r.reason) : []));
  if (faults.length > 0) throw new AggregateError(faults);
}

const faultsIn = (cause: unknown): unknown[] => (cause instanceof AggregateError ? cause.errors : [cause]);

function sayWhatIsServed(config: ReadConfig, log: Log, version: string): void {
  const names = config.interfaces.map((one) => one.name);
  if (names.length > 0) log.info(`Slipway ${version} serves ${names.join(", ")}.`, { dataDir: config.dataDir });
  else
    log.warn(
      "No interface is served: no DHCP, TFTP or HTTP. Name one with --interface NAME, or under `interfaces:` in slipway.yaml.",
    );
}
