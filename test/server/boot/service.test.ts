import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NewEvent } from "../../../inventory/event.ts";
import type { Inventory, MachineChange } from "../../../inventory/port.ts";
import { openInventory } from "../../../inventory/store.ts";
import { runUnheard } from "../../../server/boot/run-unheard.ts";
import { BootService, type BootServiceDeps } from "../../../server/boot/service.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };
const MAC = "52:54:00:12:34:56";
const PEER = { remoteIp: "192.0.2.100", localIp: "192.0.2.1" };
const QUERY = { mac: MAC, arch: "x86_64", platform: "efi" };
const IMAGE = { id: "0123456789abcdef", name: "Slipway OS", version: "0.1.0", arch: "amd64", cmdline: "panic=10" };

let dataDir: string;
let inventory: Inventory;
const events: Omit<NewEvent, "at">[] = [];

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "slipway-boot-"));
  inventory = await openInventory({ dataDir, retention: { eventsMs: 1e9, logBytes: 1e6 }, log });
});
afterAll(async () => {
  await inventory.close();
  rmSync(dataDir, { recursive: true });
});

function serviceWith(over: Partial<BootServiceDeps> = {}): BootService {
  events.length = 0;
  return new BootService({
    ...{ inventory, log, httpPort: 8080, grpcPort: 8443, caFingerprint: "ab".repeat(32), ticketMs: 900_000 },
    record: (event) => events.push(event),
    strangersAt: () => "boot",
    imageFor: () => IMAGE,
    macOf: () => undefined,
    ...over,
  });
}
const ticketIdIn = (script: string) => /boot\/ticket\/(\S+)/.exec(script)?.[1] ?? "";

test("script sends an unknown machine to the OS, and makes it a discovered machine that is loading", async () => {
  const script = await serviceWith().script(QUERY, PEER);
  expect(script).toContain("kernel http://192.0.2.1:8080/image/0123456789abcdef/kernel panic=10");
  const machine = await inventory.findMachineByMac(MAC);
  expect(machine).toMatchObject({ lifecycle: "discovered", activity: "loading", arch: "amd64", firmware: "uefi" });
  expect(events.map((event) => event.kind)).toEqual(["script"]);
});

test("ticket gives a token once stored only as its hash, and a new one when the download is repeated", async () => {
  const service = serviceWith();
  const id = ticketIdIn(await service.script(QUERY, PEER));
  const first = await service.ticket(id, PEER);
  const second = await service.ticket(id, PEER);
  if (first.kind !== "ticket" || second.kind !== "ticket") throw new Error("both fetches must be answered");
  const body = JSON.parse(second.body);
  expect(body).toMatchObject({
    schema: 1,
    server: "192.0.2.1:8443",
    caFingerprint: "ab".repeat(32),
    attempt: id,
    mac: MAC,
  });
  expect(JSON.parse(first.body).token).not.toBe(body.token);
  const stored = await inventory.findTicket(id);
  expect(stored?.tokenHash).toBe(createHash("sha256").update(body.token).digest("hex"));
  expect(JSON.stringify(stored)).not.toContain(body.token);
});

test("ticket is refused to another address, and after its time", async () => {
  const service = serviceWith();
  const id = ticketIdIn(await service.script(QUERY, PEER));
  expect(await service.ticket(id, { ...PEER, remoteIp: "192.0.2.66" })).toMatchObject({ kind: "refused", mac: MAC });
  expect(await service.ticket("nobody-made-this", PEER)).toEqual({
    kind: "refused",
    reason: "there is no such ticket",
  });
  const late = serviceWith({ ticketMs: 0 });
  const lateId = ticketIdIn(await late.script(QUERY, PEER));
  expect(await late.ticket(lateId, PEER)).toMatchObject({ kind: "refused", reason: expect.stringMatching(/too late/) });
});

test("script refuses a machine that speaks for another one, with an event", async () => {
  const service = serviceWith({ macOf: () => "52:54:00:99:99:99" });
  const script = await service.script(QUERY, PEER);
  expect(script).toMatch(/192.0.2.100 belongs to 52:54:00:99:99:99/);
  expect(script).not.toContain("ticket");
  expect(events).toEqual([{ kind: "ticket-refused", mac: MAC, detail: { reason: expect.any(String) } }]);
});

test("script explains a request without a MAC, and a missing image", async () => {
  expect(await serviceWith().script({}, PEER)).toMatch(/names no MAC address \(none\)/);
  const script = await serviceWith({ imageFor: () => undefined }).script({ ...QUERY, arch: "arm64" }, PEER);
  expect(script).toMatch(/no Slipway OS image for arm64/);
});

test("script and httpLoader send a machine to its disk when a person chose so", async () => {
  const [machine] = await inventory.changeMachines([{ macs: ["52:54:00:00:00:07"], boot: "disk" }], [], "test");
  const service = serviceWith();
  const script = await service.script({ ...QUERY, mac: machine!.macs[0]! }, PEER);
  expect(script).toMatch(/exit 1\n$/);
  expect(await service.httpLoader("52-54-00-00-00-07", PEER)).toBe("disk");
  expect(await service.httpLoader("52-54-00-12-34-56", PEER)).toBe("serve");
  expect(await service.httpLoader("nonsense", PEER)).toBe("ignore");
  expect(await serviceWith({ strangersAt: () => "ignore" }).httpLoader("52-54-00-12-34-56", PEER)).toBe("ignore");
});

test("loopCount counts a machine's loaders of the last two minutes", () => {
  const service = serviceWith();
  for (let i = 0; i < 4; i++) service.noteLoaderFetched(MAC);
  expect(service.loopCount(MAC)).toBe(4);
  expect(service.loopCount("52:54:00:00:00:01")).toBe(0);
});

test("loopCount forgets a machine that comes as far as its script, and loopScript says what is wrong", async () => {
  const service = serviceWith();
  for (let i = 0; i < 4; i++) service.noteLoaderFetched(MAC);
  await service.script(QUERY, PEER);
  expect(service.loopCount(MAC)).toBe(0);
  expect(service.loopScript(PEER)).toMatch(/loads iPXE again and again/);
});

test("attemptOf names the attempt that an address is in", async () => {
  const service = serviceWith();
  const id = ticketIdIn(await service.script(QUERY, PEER));
  expect(service.attemptOf(PEER.remoteIp)).toEqual({ mac: MAC, attemptId: id });
});

test("script keeps no word of a request that no iPXE sends, and takes names of objects for unknown processors", async () => {
  const service = serviceWith({ imageFor: (arch) => (arch === "amd64" ? IMAGE : undefined) });
  const mac = "52:54:00:00:00:31";
  for (const arch of ["constructor", "__proto__", "\u001b[31m"]) {
    const script = await service.script({ mac, arch, platform: "\n", serial: "\u001b]0;x\u0007" }, PEER);
    expect(script).toMatch(/does not run on this processor/);
  }
  const machine = await inventory.findMachineByMac(mac);
  expect(machine).toMatchObject({ arch: "unknown", serial: "]0;x" });
  expect(JSON.stringify(events)).not.toMatch(/u001b/);
});

test("script, ticket and httpLoader write nothing for an address that does not stop asking", async () => {
  const service = serviceWith();
  for (let n = 0; n < 120; n++) await service.httpLoader("nonsense", PEER);
  const tooMany = { code: "TOO_MANY_REQUESTS", message: "192.0.2.100 asks more than once a second" };
  const mac = "52:54:00:00:00:32";
  await expect(service.script({ mac }, PEER)).rejects.toMatchObject(tooMany);
  await expect(service.ticket("any", PEER)).rejects.toMatchObject(tooMany);
  await expect(service.httpLoader(mac, PEER)).rejects.toMatchObject(tooMany);
  expect(await inventory.findMachineByMac(mac)).toBeUndefined();
  expect(events).toEqual([]);
  expect(await service.script({ mac }, { ...PEER, remoteIp: "192.0.2.101" })).toContain("kernel");
});

/** An installed machine, and what is known of it now. */
async function installed(mac: string, over: Omit<MachineChange, "id"> = {}) {
  const installation = { installId: "i1", number: 1, disk: "/dev/vda", at: 0 };
  const change = { macs: [mac], name: `m${mac.slice(-2)}`, lifecycle: "approved", role: "worker" } as const;
  const [machine] = await inventory.changeMachines([change], [], "anna");
  await inventory.changeMachines([], [{ id: machine!.id, lifecycle: "installed", installation, ...over }], "anna");
  return () => inventory.findMachineById(machine!.id);
}

test("script sends an installed machine to its disk, and says when it asks after three unheard times that it failed", async () => {
  const mac = "52:54:00:00:00:41";
  const now = await installed(mac);
  const service = serviceWith();
  for (let n = 1; n <= 5; n++) {
    expect(await service.script({ ...QUERY, mac }, PEER)).toMatch(/exit 1\n$/);
    expect(await now()).toMatchObject({ diskBoots: n, activity: n <= 3 ? "loading" : "failed" });
  }
  expect((await now())?.activityReason).toBe(
    "it was sent to its disk 4 times and its agent was not heard: look at its screen; to install it anew: slipway install m41",
  );
  expect(events.filter((event) => event.kind === "disk-unheard")).toHaveLength(1);
  // The next round's first packet, or the same round's next firmware entry: it stays failed until its agent is heard.
  await inventory.sightMachine({ mac, at: Date.now(), activity: "firmware" });
  expect(await now()).toMatchObject({ activity: "failed", activityReason: expect.stringContaining("4 times") });
  expect(await inventory.moveActivity((await now())!.id, "running")).toBe(true);
  await inventory.sightMachine({ mac, at: Date.now(), activity: "firmware" });
  expect((await now())?.activity).toBe("firmware");
});

test("a machine that asks nobody any more after the third time fails by silence, also over a restart; one that is heard does not", async () => {
  const watch = () => runUnheard({ inventory, log, record: (event) => void events.push(event), silenceMs: 40 });
  const now = await installed("52:54:00:00:00:45", { diskBoots: 3 });
  const heard = await installed("52:54:00:00:00:46", { diskBoots: 3 });
  const earlier = await installed("52:54:00:00:00:47", { diskBoots: 2 });
  for (const one of [now, heard, earlier]) await inventory.moveActivity((await one())!.id, "loading");
  events.length = 0;
  (await watch()).close();
  const restarted = await watch();
  await inventory.changeMachines([], [{ id: (await heard())!.id, diskBoots: 0 }], "slipway");
  await expect.poll(async () => (await now())?.activity).toBe("failed");
  await expect
    .poll(() => events)
    .toMatchObject([{ kind: "disk-unheard", mac: "52:54:00:00:00:45", detail: { count: 3 } }]);
  expect((await now())?.activityReason).toContain("it was sent to its disk 3 times and its agent was not heard");
  expect([(await heard())?.activity, (await earlier())?.activity]).toEqual(["loading", "loading"]);
  restarted.close();
});

test("httpLoader counts what no script counted: firmware asks by PXE, then by HTTP, in one power-on", async () => {
  const mac = "52:54:00:00:00:42";
  const now = await installed(mac);
  const service = serviceWith();
  await service.script({ ...QUERY, mac }, PEER);
  for (let n = 0; n < 3; n++) expect(await service.httpLoader(mac, PEER)).toBe("disk");
  expect((await now())?.diskBoots).toBe(1);
  const restarted = serviceWith();
  expect(await restarted.httpLoader(mac, PEER)).toBe("disk");
  expect((await now())?.diskBoots).toBe(2);
});

test("script gives the OS to a machine whose new install was ordered, and counts nothing", async () => {
  const mac = "52:54:00:00:00:43";
  const install = { order: "o1", mayWipe: true, orderedAt: 0 };
  const now = await installed(mac);
  await inventory.changeMachines([], [{ id: (await now())!.id, lifecycle: "approved", install }], "anna");
  const script = await serviceWith().script({ ...QUERY, mac }, PEER);
  expect(script).toMatch(/it is to be\s+(echo Slipway:\s+)?installed\s+anew|to be installed anew/);
  expect(await now()).toMatchObject({ activity: "loading", install });
  expect((await now())?.diskBoots).toBeUndefined();
});

test("script counts nothing for a machine that a person sent to a foreign disk", async () => {
  const mac = "52:54:00:00:00:44";
  await inventory.changeMachines([{ macs: [mac], boot: "disk" }], [], "anna");
  await serviceWith().script({ ...QUERY, mac }, PEER);
  expect((await inventory.findMachineByMac(mac))?.diskBoots).toBeUndefined();
});
