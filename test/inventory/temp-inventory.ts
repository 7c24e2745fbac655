// A dataDir of its own for a test, and the inventory in it, as often as the test opens it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach } from "vitest";
import type { Inventory } from "../../inventory/port.ts";
import { type InventoryOptions, openInventory } from "../../inventory/store.ts";
import { silent } from "./quiet-log.ts";

export const RETENTION = { eventsMs: 90 * 86_400_000, logBytes: 8 * 1024 * 1024 };

export type TempInventory = {
  dataDir: string;
  path: (...names: string[]) => string;
  open: (over?: Partial<InventoryOptions>) => Promise<Inventory>;
  /** Opens, gives it to `use`, closes. */
  once: (use: (inventory: Inventory) => Promise<unknown>, over?: Partial<InventoryOptions>) => Promise<void>;
  /** The file as a stranger with sqlite3 would change it. */
  tamper: (sql: string) => void;
};

const disposals: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0)) await dispose();
});

export function tempInventory(): TempInventory {
  const dataDir = mkdtempSync(join(tmpdir(), "slipway-inventory-"));
  const opened: Inventory[] = [];
  const path = (...names: string[]) => join(dataDir, ...names);
  const open = async (over: Partial<InventoryOptions> = {}) => {
    const inventory = await openInventory({ dataDir, retention: RETENTION, log: silent, ...over });
    opened.push(inventory);
    return inventory;
  };
  disposals.push(async () => {
    for (const inventory of opened) await inventory.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return {
    dataDir,
    path,
    open,
    once: async (use, over) => {
      const inventory = await open(over);
      await use(inventory);
      await inventory.close();
    },
    tamper: (sql) => {
      const db = new Sqlite(path("inventory.db"));
      db.exec(sql);
      db.close();
    },
  };
}
