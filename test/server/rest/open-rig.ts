// An admin API over a real inventory in a directory of its own; tests of rest/ and cli/ talk to it.
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import type { Inventory } from "../../../inventory/port.ts";
import { openInventory } from "../../../inventory/store.ts";
import type { Log } from "../../../server/boot/ports.ts";
import { type AdminDeps, buildAdminApp } from "../../../server/rest/app.ts";
import type { StatusDocument } from "../../../server/rest/status.ts";

export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
export const silent = { debug() {}, info() {}, warn() {}, error() {} };

export const STATUS: StatusDocument = {
  version: "0.1.0",
  startedAt: new Date(NOW - 3_600_000).toISOString(),
  dataDir: "/var/lib/slipway",
  httpPort: 8080,
  grpcPort: 8443,
  interfaces: [
    {
      name: "eth1",
      mac: "52:54:00:00:00:01",
      addresses: ["192.0.2.1"],
      hasCarrier: true,
      dhcp: { configured: "auto", mode: "server", reason: "nobody else answered for 10 s" },
      networks: [
        { subnet: "192.0.2.0/24", pool: "192.0.2.128-192.0.2.254", poolSize: 127, poolUsed: 3, isRelayed: false },
      ],
    },
  ],
  assets: [{ name: "slipway-os", version: "0.1.0", arch: "amd64", sizeBytes: 160_000_000, state: "verified" }],
  alarms: [],
};

export type Rig = {
  dir: string;
  inventory: Inventory;
  app: FastifyInstance;
  errors: string[];
  close: () => Promise<void>;
};

/** @param over replaces single dependencies. */
export async function openRig(over: Partial<AdminDeps> = {}): Promise<Rig> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "slipway-rest-")));
  const inventory = await openInventory({
    dataDir: dir,
    retention: { eventsMs: 1e12, logBytes: 2 ** 20 },
    log: silent,
    now: over.now ?? (() => NOW),
  });
  const errors: string[] = [];
  const log: Log = { ...silent, error: (text, fields) => errors.push(`${text}: ${fields?.err}`) };
  const app = await buildAdminApp({
    inventory,
    log,
    now: () => NOW,
    version: "0.1.0",
    status: async () => STATUS,
    actorOf: () => "uid 1000 (tester)",
    ...over,
  });
  const close = async () => {
    await app.close();
    await inventory.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return { dir, inventory, app, errors, close };
}
