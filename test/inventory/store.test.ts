// The SQLite inventory against the port's contract, and what only SQLite has: files, locks, damage, kills.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openInventory } from "../../inventory/store.ts";
import { describeInventoryPort } from "./port-contract.ts";
import { silent } from "./quiet-log.ts";

describeInventoryPort("SQLite inventory", async (now) => {
  const dataDir = mkdtempSync(join(tmpdir(), "slipway-inventory-"));
  const retention = { eventsMs: 90 * 86_400_000, logBytes: 8 * 1024 * 1024 };
  // Durability is proved elsewhere; here a sync per write would only cost time.
  const inventory = await openInventory({ dataDir, retention, now, log: silent, synchronous: "NORMAL" });
  return {
    inventory,
    dispose: async () => {
      await inventory.close();
      rmSync(dataDir, { recursive: true });
    },
  };
});
