// The inventory on disks that fill up, are read-only or belong to somebody else. Needs root: it mounts small tmpfs.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Inventory } from "../../inventory/port.ts";
import { openInventory } from "../../inventory/store.ts";
import { openSecrets } from "../../server/secrets/store.ts";
import { silent } from "./quiet-log.ts";
import { RETENTION } from "./temp-inventory.ts";

let mount: string;
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), "slipway-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=0755", "slipway-test", mount]);
});
afterEach(async () => {
  for (const inventory of opened.splice(0)) await inventory.close();
  execFileSync("umount", [mount]);
  rmSync(mount, { recursive: true });
});

const opened: Inventory[] = [];
async function open(): Promise<Inventory> {
  const inventory = await openInventory({ dataDir: join(mount, "data"), retention: RETENTION, log: silent });
  opened.push(inventory);
  return inventory;
}
const ballast = () => join(mount, "ballast");
/** Takes all that is free, to the last page. */
function fill(): void {
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeFileSync(ballast(), Buffer.alloc(size), { flag: "a" });
    } catch (cause) {
      expect((cause as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
  }
}
const lease = (n: number) => ({
  subnet: "10.0.0.0/8",
  address: `10.0.${n >> 8}.${n & 255}`,
  mac: "52:54:00:00:00:01",
  hostname: "x".repeat(200),
  state: "bound" as const,
  startedAt: 1,
  expiresAt: 2,
});

test("a full disk is a fault of the write, the process lives on, and the next write works when there is room", async () => {
  const inventory = await open();
  await inventory.sightMachine({ mac: "52:54:00:00:00:01", at: 1 });
  fill();
  const acknowledged: number[] = [];
  let fault: unknown;
  for (let n = 0; n < 20_000 && fault === undefined; n++) {
    await inventory.saveLeases([lease(n)]).then(
      () => acknowledged.push(n),
      (cause) => (fault = cause),
    );
  }
  expect(fault).toMatchObject({ code: "DISK_FULL", message: expect.stringContaining("data/inventory.db") });
  expect(await inventory.listMachines()).toHaveLength(1);
  inventory.appendLogLines([{ at: 1, mac: "52:54:00:00:00:01", source: "kernel", text: "x".repeat(4000) }]);
  await expect(inventory.writeMark("still", "x".repeat(100_000))).rejects.toMatchObject({ code: "DISK_FULL" });

  rmSync(ballast());
  await inventory.saveLeases([lease(60_000)]);
  await inventory.close();

  const again = await open();
  const kept = new Set((await again.listLeases()).map((l) => l.address));
  expect([...acknowledged, 60_000].filter((n) => !kept.has(lease(n).address))).toEqual([]);
  expect(await again.checkAudit()).toBeUndefined();
  await again.close();
});

test("of a batch on a full disk none is acknowledged that is not there", async () => {
  const inventory = await open();
  fill();
  const results = await Promise.allSettled(Array.from({ length: 2000 }, (_, n) => inventory.saveLeases([lease(n)])));
  const kept = new Set((await inventory.listLeases()).map((l) => l.address));
  results.forEach((result, n) => {
    expect(kept.has(lease(n).address)).toBe(result.status === "fulfilled");
  });
  expect(results.some((r) => r.status === "rejected")).toBe(true);
  rmSync(ballast());
  await inventory.close();
});

test("a first start on a full disk says so, leaves no half database, and works when there is room", async () => {
  mkdirSync(join(mount, "data"));
  fill();
  await expect(open()).rejects.toMatchObject({ code: "DISK_FULL" });
  rmSync(ballast());
  await (await open()).close();
});

test("secrets on a full disk: the fault says so, nothing half is left, the next start makes them", async () => {
  mkdirSync(join(mount, "data"));
  const options = { dataDir: join(mount, "data"), identityPath: join(mount, "id", "identity.age"), log: silent };
  fill();
  await expect(openSecrets(options)).rejects.toMatchObject({ code: "DISK_FULL" });
  rmSync(ballast());
  const first = await openSecrets(options);
  expect((await openSecrets(options)).ca.fingerprint).toBe(first.ca.fingerprint);
});

test("a read-only file system is named", async () => {
  await (await open()).close();
  execFileSync("mount", ["-o", "remount,ro", mount]);
  await expect(open()).rejects.toMatchObject({
    code: "NO_PERMISSION",
    message: expect.stringMatching(/data.*read-only/),
  });
  execFileSync("mount", ["-o", "remount,rw", mount]);
});

test("another user's dataDir is named", () => {
  const dataDir = join(mount, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  const script = `
    import { openInventory } from ${JSON.stringify(join(process.cwd(), "inventory/store.ts"))};
    const log = { info() {}, warn() {}, error() {} };
    openInventory({ dataDir: ${JSON.stringify(dataDir)}, retention: ${JSON.stringify(RETENTION)}, log })
      .then(() => console.log("opened"), (e) => console.log(e.code, e.message));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    uid: 65_534,
    gid: 65_534,
    encoding: "utf8",
  });
  expect(stdout + stderr).toMatch(/^NO_PERMISSION .*data.* this user/);
});

test("a file that grew holes where the disk lost sectors is found at the start", async () => {
  const inventory = await open();
  await inventory.saveLeases(Array.from({ length: 500 }, (_, n) => lease(n)));
  await inventory.close();
  const path = join(mount, "data", "inventory.db");
  copyFileSync(path, `${path}.whole`);
  execFileSync("fallocate", ["--punch-hole", "--offset", "40960", "--length", "16384", path]);
  await expect(open()).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });
  copyFileSync(`${path}.whole`, path);
  chmodSync(path, 0o600);
  const again = await open();
  expect(await again.listLeases()).toHaveLength(500);
  await again.close();
});
