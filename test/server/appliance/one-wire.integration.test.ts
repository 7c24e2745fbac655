// Two appliances on one wire, each with its own dataDir: neither may become the other's rogue. Both `auto`, then both `server`.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Namespace } from "../../lab/namespace.ts";
import { ACK, DISCOVER, lease, OFFER } from "../dhcp/rig.ts";
import { type ApplianceRig, openApplianceRig, START_MS, until } from "./rig.ts";

let rig: ApplianceRig;
let otherNs: Namespace;
beforeEach(async () => {
  rig = await openApplianceRig();
  otherNs = rig.lab.namespace("other");
  rig.lab.link(otherNs, "eth0", rig.lan);
  rig.lab.address(otherNs, "eth0", "192.0.2.2/24");
});
afterEach(() => rig.close());
const MAC = "52:54:00:00:00:01";
const modeOf = async (socket?: string) => (await rig.status(socket)).interfaces[0]!.dhcp;

test("auto beside a serving appliance becomes its proxy, says whom it found, and both go on", async () => {
  const first = await rig.start();
  const client = await rig.client();
  const before = await lease(client, MAC);
  const second = rig.second("second", "interfaces:\n  eth0: { dhcp: auto }");
  const running = await rig.start({ ns: otherNs, config: second.config });
  const mode = await until(
    () => modeOf(second.socket),
    ({ mode }) => mode === "proxy",
  );
  expect(mode.reason).toBe("another server leases addresses");
  await running.waitFor(/DHCP mode proxy: .*192\.0\.2\.1/, START_MS);
  const offers = await client.ask({ mac: MAC, type: DISCOVER, all: true, waitMs: 3000 });
  expect(offers.filter((one) => one.type === OFFER && one.yourIp !== "0.0.0.0").map((one) => one.from)).toEqual([
    "192.0.2.1",
  ]);
  expect((await lease(client, MAC)).yourIp).toBe(before.yourIp);
  expect(await running.stop()).toBe(0);
  expect(await first.stop()).toBe(0);
});

test("two that start at once, both auto: at most one address is given, and who met whom is an alarm", async () => {
  rig.configure("interfaces:\n  eth0: { dhcp: auto, probe: false }");
  const second = rig.second("second", "interfaces:\n  eth0: { dhcp: auto, probe: false }");
  const [a, b] = await Promise.all([rig.start(), rig.start({ ns: otherNs, config: second.config })]);
  await Promise.all(
    [rig.socket, second.socket].map((at) =>
      until(
        () => modeOf(at),
        ({ mode }) => mode !== "starting" && mode !== "looking",
      ),
    ),
  );
  const client = await rig.client();
  const seen = new Map<string, Set<string>>();
  for (let n = 10; n < 16; n++) {
    const mac = `52:54:00:00:00:${n}`;
    const ack = await lease(client, mac, { waitMs: 3000 }).catch(() => undefined);
    if (ack?.type === ACK) seen.set(ack.yourIp, (seen.get(ack.yourIp) ?? new Set()).add(mac));
  }
  for (const [ip, macs] of seen) expect([ip, [...macs]]).toEqual([ip, [expect.any(String)]]);
  const modes = await Promise.all([modeOf(), modeOf(second.socket)]);
  const alarms = (await Promise.all([rig.status(), rig.status(second.socket)])).flatMap((status) => status.alarms);
  const isServing = modes.filter(({ mode }) => mode === "server").length;
  expect(isServing).toBeLessThanOrEqual(1);
  expect(
    alarms.some(({ text }) => /another DHCP server answers on eth0/.test(text)) ||
      modes.some(({ mode }) => mode === "proxy"),
  ).toBe(true);
  expect([await a.stop(), await b.stop()]).toEqual([0, 0]);
});

test("both forced to be server: both serve as told, and each raises an alarm", async () => {
  rig.configure("interfaces:\n  eth0: { dhcp: server, force: true, probe: true }");
  const second = rig.second("second", "interfaces:\n  eth0: { dhcp: server, force: true, probe: true }");
  const [a, b] = await Promise.all([rig.start(), rig.start({ ns: otherNs, config: second.config })]);
  const client = await rig.client();
  await lease(client, MAC, { waitMs: 3000 });
  await until(
    async () =>
      (await Promise.all([rig.status(), rig.status(second.socket)])).map((status) =>
        status.alarms.map((one) => one.text),
      ),
    (all) => all.every((texts) => texts.some((text) => /another DHCP server answers on eth0/.test(text))),
    START_MS,
  );
  expect([await a.stop(), await b.stop()]).toEqual([0, 0]);
});
