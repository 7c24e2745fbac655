// Every command against a real appliance's admin socket: what a person reads, what a program reads, how it ends.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { listenAdmin } from "../../../server/rest/admin-socket.ts";
import { actorOfPeer } from "../../../server/rest/peer-socket.ts";
import { NOW, openRig, type Rig, STATUS } from "../rest/open-rig.ts";
import { type Run, run } from "./run-in-process.ts";

const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
const C = "52:54:00:00:00:0c";

let rig: Rig;
let socket = "";
beforeEach(async () => {
  rig = await openRig({ actorOf: actorOfPeer });
  socket = join(rig.dir, "admin.sock");
  await listenAdmin(rig.app, { path: socket });
});
afterEach(() => rig.close());

const slipway = (...args: string[]): Promise<Run> => run(socket, ...args);
const file = (name: string, text: string): string => {
  const path = join(rig.dir, name);
  writeFileSync(path, text);
  return path;
};

test("machines says what to do when there is none", async () => {
  expect(await slipway("machines")).toEqual({
    code: 0,
    err: "",
    out: "No machine is known yet.\nPower one on in a network that this appliance serves (`slipway status` shows which), or write one down:\n  slipway set 52:54:00:12:34:56 --role worker --approve\n",
  });
  expect((await slipway("machines", "-o", "json")).out).toBe("[]\n");
});

test("machines is a table, with the next step under it", async () => {
  await slipway("set", A, "--role", "worker", "--name", "web1", "--address", "192.0.2.50", "--approve");
  await rig.inventory.sightMachine({ mac: B, at: Date.now() });
  const { out } = await slipway("machines");
  expect(out.replace(/\d+ (s|d)$/gm, "N")).toBe(
    [
      "MAC                NAME  ROLE    ADDRESS     STATE       NOW  READY  SEEN   STEP",
      "52:54:00:00:00:0a  web1  worker  192.0.2.50  approved    off  -      never",
      "52:54:00:00:00:0b  -     -       -           discovered  off  -      N",
      "",
      `1 machine waits for approval: slipway set ${B} --role worker --approve`,
      "",
    ].join("\n"),
  );
});

test("above the machines stands what somebody has to do about the appliance, and nothing else", async () => {
  const at = new Date(NOW - 60_000).toISOString();
  const alarms = [
    { at, text: "nothing can be written: the file system is full", remedy: "Free space." },
    { at, text: "nothing could be written for 8 s" },
  ];
  const full = await openRig({ actorOf: actorOfPeer, status: async () => ({ ...STATUS, alarms }) });
  const path = join(full.dir, "admin.sock");
  await listenAdmin(full.app, { path });
  expect((await run(path, "machines")).out).toMatch(
    /^ALARM \d+ \w+ ago: nothing can be written: the file system is full\n {6}Free space\.\n\nNo machine is known/,
  );
  expect((await run(path, "machines", "-o", "json")).out).toBe("[]\n");
  await full.close();
});

test("machines MAC shows one in any spelling, and in the form that is asked for", async () => {
  await slipway("set", A, "--role", "worker", "--name", "web1");
  const page = await slipway("machines", "5254.0000.000A");
  expect(page.out).toMatch(/^name: {8}web1\nmacs: {8}52:54:00:00:00:0a\n/);
  expect(JSON.parse((await slipway("machines", "web1", "-o", "json")).out)).toMatchObject({
    name: "web1",
    role: "worker",
  });
  expect(parse((await slipway("machines", "web1", "-o", "yaml")).out)).toMatchObject({ name: "web1", macs: [A] });
});

test("set takes several machines by comma and blank, approves, clears", async () => {
  const { out } = await slipway("set", `${A},${B}`, C, "--role", "worker", "--approve");
  expect(out).toBe([A, B, C].map((mac) => `${mac}: approved, worker\n`).join(""));
  await slipway("set", A, "--unset", "role");
  expect((await rig.inventory.findMachineByMac(A))?.role).toBeUndefined();
});

test("every mutation carries the peer's uid", async () => {
  await slipway("set", A, "--role", "worker");
  expect((await rig.inventory.listAudit({}))[0]?.actor).toMatch(new RegExp(`^uid ${process.getuid!()} \\(`));
});

test("approve tells what is still missing, and can be taken back", async () => {
  await rig.inventory.sightMachine({ mac: A, at: NOW });
  expect((await slipway("approve", A)).out).toBe(
    `${A}: approved\n\n1 machine waits for a role: slipway set ${A} --role worker\n`,
  );
  expect((await slipway("approve", A, "--undo")).out).toContain(`${A}: discovered\n`);
  expect((await slipway("retire", A)).out).toBe(`${A}: retired\n`);
});

test("rm removes with --yes, and asks nobody who is not there", async () => {
  await rig.inventory.sightMachine({ mac: A, at: NOW });
  expect(await slipway("rm", A)).toMatchObject({ code: 2, err: expect.stringContaining("Add --yes.") });
  expect(await slipway("rm", A, "--yes")).toMatchObject({ code: 0, out: `${A}: removed\n` });
  expect(await rig.inventory.listMachines()).toEqual([]);
});

const FAULTS: { name: string; args: string[]; code: number; err: string }[] = [
  {
    name: "a name for several machines",
    args: ["set", `${A},${B}`, "--name", "web1"],
    code: 2,
    err: 'slipway: name: "web1" can be given to one machine only, found 2 machines\n  Set the name of each machine in a command of its own, or import a file.\n',
  },
  {
    name: "several wrong fields at once",
    args: ["set", A, "--role", "etcd", "--boot", "net"],
    code: 2,
    err: 'slipway: 2 faults:\n  role: must be one of the known roles (controlplane, worker), found "etcd"\n  boot: must be one of os, disk, ignore, found "net"\n  Correct the named fields and send the request again.\n',
  },
  {
    name: "an unknown role alone",
    args: ["set", A, "--role", "etcd"],
    code: 2,
    err: 'slipway: role: must be one of the known roles (controlplane, worker), found "etcd"\n  Use one of the roles that the message lists.\n',
  },
  {
    name: "an unknown machine",
    args: ["machines", "nobody"],
    code: 4,
    err: 'slipway: "nobody": no machine has this MAC, name or id\n  `slipway machines` lists what is known.\n',
  },
  {
    name: "an address that is taken",
    args: ["set", A, "--address", "192.0.2.1"],
    code: 5,
    err: "slipway: address: 192.0.2.1 is this appliance's own address\n  Choose another value, or change the other machine first.\n",
  },
  {
    name: "an unknown field to clear",
    args: ["set", A, "--unset", "colour"],
    code: 2,
    err: 'slipway: --unset: must be one of role, cluster, name, address, boot, found "colour"\n  Correct the named fields and send the request again.\n',
  },
  {
    name: "a field to set and to clear",
    args: ["set", A, "--boot", "os", "--unset", "boot"],
    code: 2,
    err: "slipway: --unset boot and --boot contradict each other\n  Give one of the two.\n",
  },
  {
    name: "a time that is none",
    args: ["events", "--since", "soon"],
    code: 2,
    err: 'slipway: --since: must be a time ago such as 30m, 2h or 7d, or a date and time, found "soon"\n  Correct the named fields and send the request again.\n',
  },
  {
    name: "an unknown command",
    args: ["machnes"],
    code: 2,
    err: "slipway: unknown command 'machnes'\n(Did you mean machines?)\n  `slipway --help` lists the commands, `slipway COMMAND --help` its options with examples.\n",
  },
  {
    name: "an unknown form of output",
    args: ["machines", "-o", "xml"],
    code: 2,
    err: "slipway: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are table, json, yaml.\n  `slipway --help` lists the commands, `slipway COMMAND --help` its options with examples.\n",
  },
];
for (const { name, args, code, err } of FAULTS) {
  test(`slipway refuses ${name}`, async () => {
    expect(await slipway(...args)).toEqual({ code, out: "", err });
    expect(await rig.inventory.listMachines()).toEqual([]);
  });
}

test("import names every fault of the file with line and column, and writes nothing", async () => {
  const path = file("rack.csv", `mac,role,name,colour\n${A},worker,web1,red\nxx,wroker,\n${A},worker,"web 2",\n`);
  expect(await slipway("import", path)).toEqual({
    code: 2,
    out: "",
    err: [
      "slipway: 5 faults:",
      `  ${path}:1:15: colour: no such column; known: mac, role, cluster, name, address, boot, uuid, serial`,
      `  ${path}:3:1: macs: must be a MAC such as 52:54:00:12:34:56, found "xx"`,
      `  ${path}:3:4: role: must be one of the known roles (controlplane, worker), found "wroker"`,
      `  ${path}:4:1: macs: ${A} stands in line 2 already`,
      `  ${path}:4:26: name: must be a host name of letters, digits and hyphens, at most 63, without dots, found "web 2"`,
      "  Correct the named rows; nothing was written.",
      "",
    ].join("\n"),
  });
  expect(await rig.inventory.listMachines()).toEqual([]);
});

test("import tries without writing, writes, approves, and is quiet about what it knows", async () => {
  const path = file("rack.csv", `mac,role\n${A},worker\n${B},controlplane\n`);
  expect((await slipway("import", path, "--dry-run")).out).toBe(
    "2 would be created, 0 would be changed, 0 unchanged\n",
  );
  expect(await rig.inventory.listMachines()).toEqual([]);
  expect((await slipway("import", path)).out).toContain(
    `2 created, 0 changed, 0 unchanged\n\n2 machines wait for approval: slipway approve ${A} ${B}\n`,
  );
  expect((await slipway("import", path, "--approve")).out).toBe("0 created, 2 changed, 0 unchanged\n");
  expect((await slipway("import", path, "--approve")).out).toBe("0 created, 0 changed, 2 unchanged\n");
});

test("what export writes, import reads back into an empty appliance, in both forms", async () => {
  await slipway("set", A, "--role", "worker", "--name", "web1", "--address", "192.0.2.50", "--boot", "disk");
  await slipway("set", B, "--role", "controlplane", "--approve");
  for (const form of ["yaml", "csv"]) {
    const exported = (await slipway("export", "-o", form)).out;
    const other = await openRig();
    const otherSocket = join(other.dir, "admin.sock");
    await listenAdmin(other.app, { path: otherSocket });
    expect((await run(otherSocket, "import", file(`all.${form}`, exported))).out).toContain("2 created");
    expect((await run(otherSocket, "export", "-o", "csv")).out).toBe((await slipway("export", "-o", "csv")).out);
    await other.close();
  }
  const documents = parseAllDocuments((await slipway("export")).out) as unknown[];
  expect(documents).toHaveLength(2);
});

test("import says what is wrong with the file itself", async () => {
  expect((await slipway("import", "/no/such.csv")).err).toContain("/no/such.csv: ENOENT");
  expect((await slipway("import", file("x.txt", ""))).err).toContain("must end in .csv or .yaml");
  expect((await slipway("import", file("x.csv", ""))).err).toContain("holds no machine");
});

test("events are dated once, timed, spaced by machine, in words", async () => {
  const at = new Date(2026, 0, 2, 3, 4, 5).getTime();
  await rig.inventory.recordEvents([
    { kind: "dhcp-discover", at, mac: A, detail: { client: "UEFI x86_64" } },
    { kind: "dhcp-discover", at: at + 100, mac: B, detail: { client: "BIOS" } },
    { kind: "image-done", at: at + 25_000, mac: A, detail: { file: "initrd", bytes: 150_000_000, ms: 5000 } },
    { kind: "failed", at: at + 86_400_000, mac: A, detail: { reason: "no disk\u001b[2J" } },
  ]);
  expect((await slipway("events")).out).toBe(
    [
      "2026-01-02",
      `03:04:05.000             firmware  ${A}  asks for an address (UEFI x86_64)`,
      `03:04:05.100             firmware  ${B}  asks for an address (BIOS)`,
      `03:04:30.000    +25.0 s  image     ${A}  has initrd: 150.0 MB in 5.00 s, 30.0 MB/s`,
      "2026-01-03",
      `03:04:05.000      +24 h  agent     ${A}  failed: no disk\ufffd[2J`,
      "",
    ].join("\n"),
  );
  expect((await slipway("events", A)).out).toContain("03:04:30.000    +25.0 s  image     has initrd");
  expect(JSON.parse((await slipway("events", B, "-o", "json")).out)).toHaveLength(1);
  expect((await slipway("events", "--limit", "1")).out.split("\n")).toHaveLength(3);
  expect((await slipway("events", C)).out).toBe(
    `No event of ${C}. \`slipway events --follow\` waits for the next one.\n`,
  );
});

test("logs are a machine's own lines, and say where to look when there is none", async () => {
  await rig.inventory.sightMachine({ mac: A, at: NOW });
  expect((await slipway("logs", A)).out).toContain(`No log line of ${A}.`);
  rig.inventory.appendLogLines([{ at: NOW, mac: A, source: "kernel", text: "Linux\tboots" }]);
  await expect
    .poll(async () => (await slipway("logs", A)).out)
    .toMatch(/^\d{4}-\d\d-\d\d [\d:.]+ {2}kernel {2}Linux boots\n$/);
});

test("status shows interfaces, the DHCP mode and why, images and machines", async () => {
  const { out } = await slipway("status");
  expect(out).toContain("eth1: 192.0.2.1\n  DHCP server (set to auto): nobody else answered for 10 s\n");
  expect(out).toContain("  network 192.0.2.0/24: pool 192.0.2.128-192.0.2.254 (3 of 127 in use)\n");
  expect(out).toContain("slipway-os  0.1.0    amd64  160 MB  verified\n");
  expect(JSON.parse((await slipway("status", "-o", "json")).out).machines.discovered).toBe(0);
});

test("audit lists who did what, and --verify finds an entry that was changed behind its back", async () => {
  expect((await slipway("audit")).out).toBe("Nobody has changed anything yet.\n");
  await slipway("set", A, "--role", "worker");
  await slipway("set", A, "--role", "controlplane");
  expect((await slipway("audit")).out).toMatch(/^NO {2}TIME \(UTC\) +WHO +DID +WHAT\n1 +\S+ \S+ +uid/);
  expect(await slipway("audit", "--verify")).toMatchObject({
    code: 0,
    out: "The audit log is whole: every entry fits the one before it.\n",
  });
  const db = new Database(join(rig.dir, "inventory.db"));
  for (const { name } of db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
    .all() as { name: string }[]) {
    db.exec(`DROP TRIGGER "${name}"`);
  }
  db.exec("UPDATE audit SET actor = 'nobody' WHERE seq = 1");
  db.close();
  expect(await slipway("audit", "--verify")).toMatchObject({
    code: 3,
    err: expect.stringContaining("audit entry 1 does not fit"),
  });
});
