// dataDir and identity as the fault: damaged, missing, another's, in use. Nothing is repaired or made anew behind a person's
// back; each start that fails leaves the files as they were, and the remedy that it names works.
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ApplianceRig, openApplianceRig, START_MS, until } from "./rig.ts";

let rig: ApplianceRig;
beforeEach(async () => {
  rig = await openApplianceRig();
});
afterEach(() => rig.close());
const at = (...parts: string[]) => join(rig.dataDir, ...parts);
const MAC = "52:54:00:00:00:0a";

/** One life in which a machine was written down; `SIGKILL` leaves the WAL beside the database. */
async function liveOnce(end: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
  const running = await rig.start();
  expect(await rig.cli(["set", MAC, "--role", "worker", "--name", "w1"])).toMatchObject({ code: 0 });
  running.signal(end);
  expect(await running.ended(START_MS)).toBe(end === "SIGTERM" ? 0 : 124);
}

const overwrite = (path: string, offset: number, bytes: Buffer) => {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
};

test("a truncated, a foreign and a garbage database are each told and left as they are; the copy put back works", async () => {
  await liveOnce();
  const db = at("inventory.db");
  copyFileSync(db, join(rig.home, "copy.db"));
  const damages = [
    { say: /inventory\.db is cut to 10 bytes; the header alone has 100/, harm: () => truncateSync(db, 10) },
    { say: /inventory\.db is (damaged|not an SQLite database)/, harm: () => truncateSync(db, 20_480) },
    { say: /inventory\.db is not an SQLite database/, harm: () => writeFileSync(db, Buffer.alloc(40_960, 7)) },
    { say: /inventory\.db is damaged/, harm: () => overwrite(db, 8192, Buffer.alloc(8192, 9)) },
  ];
  for (const { say, harm } of damages) {
    copyFileSync(join(rig.home, "copy.db"), db);
    harm();
    const damaged = readFileSync(db);
    const end = await rig.fail();
    expect(end).toMatchObject({ code: 3, err: expect.stringMatching(say) });
    expect(end.err).toMatch(/It holds the machines with their roles .*; nothing was changed\./);
    expect(end.err).toMatch(/\n {2}Move .*inventory\.db.* away to start with an empty inventory, or put a copy/);
    expect(readFileSync(db).equals(damaged)).toBe(true);
  }
  copyFileSync(join(rig.home, "copy.db"), db);
  const running = await rig.start();
  expect((await rig.cli(["machines", MAC])).stdout).toContain("w1");
  expect(await running.stop()).toBe(0);
});

test("a WAL that was damaged costs at most what was in it, and never the database", async () => {
  await liveOnce();
  const running = await rig.start();
  expect(await rig.cli(["set", MAC, "--name", "w2"])).toMatchObject({ code: 0 });
  running.signal("SIGKILL");
  await running.ended();
  const wal = at("inventory.db-wal");
  expect(statSync(wal).size).toBeGreaterThan(0);
  overwrite(wal, 0, Buffer.alloc(4096, 5));
  const next = await rig.start();
  expect((await rig.cli(["machines", MAC])).stdout).toContain("w1");
  expect(await rig.cli(["audit", "--verify"])).toMatchObject({ code: 0 });
  expect(await next.stop()).toBe(0);
});

test("kill -9 loses nothing that was answered, and the stale socket and lock keep nobody out", async () => {
  await liveOnce("SIGKILL");
  expect(existsSync(rig.socket)).toBe(true);
  expect((await rig.cli(["machines"])).stderr).toMatch(/no appliance listens on .*\n {2}Start the appliance/);
  const running = await rig.start();
  expect((await rig.cli(["machines", MAC])).stdout).toContain("w1");
  expect(await running.stop()).toBe(0);
  expect(existsSync(rig.socket)).toBe(false);
});

test("a file where the socket belongs is not deleted", async () => {
  await liveOnce();
  writeFileSync(rig.socket, "a person's notes");
  const end = await rig.fail();
  expect(end).toMatchObject({ code: 3, err: expect.stringMatching(/admin\.sock exists and is no socket\n {2}Move/) });
  expect(readFileSync(rig.socket, "utf8")).toBe("a person's notes");
});

test("a missing, a foreign and a broken identity are told with what is lost; nothing is made anew", async () => {
  await liveOnce();
  const sealed = readFileSync(at("secrets", "ca.age"));
  const kept = join(rig.home, "kept");
  renameSync(rig.identity, kept);
  const missing = await rig.fail();
  expect(missing.code).toBe(3);
  expect(missing.err).toMatch(/identity .*identity\.age is not there\. Without it is lost: .*authority.*owner's key/);
  expect(missing.err).toMatch(/Put the identity file back from your copy/);
  expect(existsSync(rig.identity)).toBe(false);

  const other = rig.second("other", "");
  const stranger = await rig.start({ config: other.config });
  await stranger.stop();
  copyFileSync(join(rig.home, "other", "id", "identity.age"), rig.identity);
  const wrong = await rig.fail();
  expect(wrong).toMatchObject({ code: 3, err: expect.stringMatching(/does not open .*ca\.age.*\n {2}This identity/) });

  writeFileSync(rig.identity, "");
  const empty = await rig.fail();
  expect(empty).toMatchObject({ code: 3, err: expect.stringMatching(/holds no age identity: a line "AGE-SECRET-KEY/) });
  expect(readFileSync(at("secrets", "ca.age")).equals(sealed)).toBe(true);

  renameSync(kept, rig.identity);
  chmodSync(rig.identity, 0o644);
  const running = await rig.start();
  expect(running.stdout()).toMatch(/identity\.age could be read by others \(mode 644\); now only its owner can/);
  expect(statSync(rig.identity).mode & 0o777).toBe(0o600);
  expect(await running.stop()).toBe(0);
});

test("a sealed file that is damaged or gone is told with what is lost", async () => {
  await liveOnce();
  overwrite(at("secrets", "owner.age"), 150, Buffer.alloc(20, 1));
  const damaged = await rig.fail();
  expect(damaged).toMatchObject({ code: 3, err: expect.stringMatching(/owner\.age is damaged.*the owner's key/) });
  rmSync(at("secrets", "ca.age"));
  const gone = await rig.fail();
  expect(gone).toMatchObject({
    code: 3,
    err: expect.stringMatching(/ca\.age is not there, yet other sealed files are/),
  });
});

test("a second appliance on the same dataDir is refused by name, and the first does not notice", async () => {
  const running = await rig.start();
  const end = await rig.fail();
  expect(end.code).toBe(3);
  expect(end.err).toMatch(
    new RegExp(
      `data/lock is held by another appliance \\(process ${running.pid}, since .*\\n  Stop the other appliance`,
    ),
  );
  expect(await rig.cli(["status"])).toMatchObject({ code: 0 });
  expect(await running.stop()).toBe(0);
});

test("a dataDir that everybody may write into gets no secrets", async () => {
  await rig.lab.exec(rig.serverNs, ["mkdir", "-m", "1777", rig.dataDir]);
  const end = await rig.fail();
  expect(end).toMatchObject({
    code: 3,
    err: expect.stringMatching(/has mode 1777: everybody may replace files in it/),
  });
  expect(existsSync(at("secrets"))).toBe(false);
  expect(existsSync(rig.identity)).toBe(false);
});

test("an entry of the audit log that somebody changed is an alarm, and machines go on booting", async () => {
  await liveOnce();
  const { default: Sqlite } = await import("better-sqlite3");
  const db = new Sqlite(at("inventory.db"));
  db.exec("DROP TRIGGER IF EXISTS audit_no_update");
  for (const { name } of db.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").all() as {
    name: string;
  }[])
    db.exec(`DROP TRIGGER "${name}"`);
  db.exec("UPDATE audit SET actor = 'somebody else' WHERE seq = 1");
  db.close();
  const running = await rig.start();
  await running.waitFor(/The audit log was changed by hand: entry 1 does not fit/, START_MS);
  const status = await until(rig.status, ({ alarms }) => alarms.length > 0);
  expect(status.alarms[0]!.text).toMatch(/the audit log was changed by hand/);
  expect(await rig.cli(["audit", "--verify"])).toMatchObject({ code: 3 });
  expect(await running.stop()).toBe(0);
});
