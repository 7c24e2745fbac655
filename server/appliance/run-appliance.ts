// Builds the rooms in order, joins them, and stops them in the reverse order. server/main.ts calls it.
import { join } from "node:path";
import { openAssets } from "../../boot-assets/store.ts";
import type { EventRecord } from "../../inventory/event.ts";
import { openDataDir } from "../../inventory/open-data-dir.ts";
import type { Inventory } from "../../inventory/port.ts";
import { openInventory } from "../../inventory/store.ts";
import { imageFolder, LOOP_PATH } from "../boot/paths.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { runUnheard } from "../boot/run-unheard.ts";
import { BootService } from "../boot/service.ts";
import { issueTicket } from "../boot/ticket-service.ts";
import { adminSocketPath } from "../config/cross-checks.ts";
import type { ReadConfig } from "../config/read-config.ts";
import { type DhcpService, serveDhcp } from "../dhcp/service.ts";
import { type GrpcServer, serveGrpc } from "../grpc/server.ts";
import { getInterface, observeInterfaces, recentInterfaces } from "../observe.ts";
import { listenAdmin } from "../rest/admin-socket.ts";
import { buildAdminApp } from "../rest/app.ts";
import { actorOfPeer } from "../rest/peer-socket.ts";
import { openSecrets } from "../secrets/store.ts";
import { Neighbours } from "./neighbour-service.ts";
import { openClusters } from "./open-clusters.ts";
import { openImages } from "./open-images.ts";
import { OpenParts, together } from "./open-parts.ts";
import { runAlarms } from "./run-alarms.ts";
import { runListeners } from "./run-listeners.ts";
import { runRecorder } from "./run-recorder.ts";
import { isOverNow } from "./settle-alarms.ts";
import { statusDocument } from "./status.ts";

export type Appliance = { record: RecordEvent; close(): Promise<void> };

/** A ticket is good for this long after the script was asked for (design §6.1). */
const TICKET_MS = 15 * 60_000;

/**
 * Starts everything.
 * @throws SlipwayError, or an AggregateError of them: what was opened is closed again.
 */
export async function runAppliance(config: ReadConfig, log: Log, version: string): Promise<Appliance> {
  const opened = new OpenParts();
  try {
    const record = await open(opened, config, log, version);
    return { record, close: () => opened.close() };
  } catch (cause) {
    // The fault that kept it from starting is the one to tell.
    await opened.close().catch((err) => log.warn("Not all of what had been opened could be closed.", { err }));
    throw cause;
  }
}

async function open(opened: OpenParts, config: ReadConfig, log: Log, version: string): Promise<RecordEvent> {
  const startedAt = new Date().toISOString();
  const { dataDir, interfaces, http, grpc } = config;
  // First, and alone: a directory that everybody may write into is no place for secrets.
  openDataDir(dataDir, log);
  const [secrets, inventory] = await together([
    () => openSecrets({ dataDir, identityPath: config.identity, log }),
    async () => opened.add(await openInventory({ dataDir, retention: config.retention, log })),
    ...interfaces.map((one) => () => void getInterface(one.name)),
  ]);
  const recorder = opened.add(runRecorder(inventory, log));
  const { record } = recorder;
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
      const at = recentInterfaces().find((one) => one.addresses.includes(ip));
      return strangersOf.get(at?.name ?? "") ?? "ignore";
    },
    imageFor: (arch) => assets.find({ arch }),
    macOf: (ip) => neighbours.macOf(ip),
  });
  opened.add(await runUnheard({ inventory, record, log }));
  const images = openImages({ dataDir, log, record, now: Date.now });
  const parts: { dhcp?: DhcpService; agents?: GrpcServer } = {};
  const clusters = opened.add(
    await openClusters({
      ...{ config, inventory, log, record, bundles: secrets.clusters },
      dhcp: () => parts.dhcp?.status().interfaces ?? [],
    }),
  );
  const { view } = clusters.desk;
  const isKnown = (name: string) => view.site.clusters.some((c) => c.name === name);
  const isOver = (event: EventRecord) => isOverNow(event, view.decisionOf, isKnown);
  const alarms = opened.add(await runAlarms(inventory, recorder.alarm, isOver));
  const admin = await buildAdminApp({
    ...{ inventory, log, version, now: Date.now, actorOf: actorOfPeer },
    clusters: { ...clusters, record, openBundle: (name) => secrets.clusters.open(name) },
    images: { store: images, record },
    liveOf: (machineId) => parts.agents?.liveOf(machineId),
    endsCluster: (machine, going) => clusters.desk.endsCluster(machine, going),
    issueTicket: (order) => {
      const { fingerprint: caFingerprint } = secrets.ca;
      return issueTicket({ inventory, record, caFingerprint, grpcPort: grpc.port, ticketMs: TICKET_MS }, order);
    },
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
      armedMs: config.armedMs,
      desk: clusters.desk,
      imageUrlFor: (arch, localIp) => {
        const image = assets.find({ arch });
        return image && `http://${localIp}:${http.port}${imageFolder(image.id)}`;
      },
    });
  await together([
    () => listenAdmin(admin, { path: adminSocketPath(dataDir), group: config.adminGroup }),
    async () => {
      const agents = opened.add(await serveAgents());
      parts.agents = agents;
      opened.add(await runListeners({ config, boot, assets, images, agents, neighbours, log, record }));
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
  return record;
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

function sayWhatIsServed(config: ReadConfig, log: Log, version: string): void {
  const names = config.interfaces.map((one) => one.name);
  if (names.length > 0) log.info(`Slipway ${version} serves ${names.join(", ")}.`, { dataDir: config.dataDir });
  else
    log.warn(
      "No interface is served: no DHCP, TFTP or HTTP. Name one with --interface NAME, or under `interfaces:` in slipway.yaml.",
    );
}
