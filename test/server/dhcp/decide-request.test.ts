// pxe.md 1.5: each state, each case, with authority and without, as one table; then what ACKs and NAKs hold.
import { describe, expect, test } from "vitest";
import type { ReplyFacts } from "../../../server/dhcp/facts.ts";
import { type DhcpPacket, MESSAGE } from "../../../server/dhcp/packet.ts";
import { lease, MAC, message, OTHER } from "./messages.ts";
import { machineWith, NOW, reasonOf, replyOf, Site, subnetAt, wireCodes } from "./site.ts";
import { fromHex } from "./vectors.ts";

type State = "selecting" | "init-reboot" | "renewing" | "rebinding";
const OURS = "192.0.2.1";

const requestIn = (state: State, address: string): [DhcpPacket, Partial<ReplyFacts>] => {
  if (state === "selecting") return [message("request", { requestedIp: address, serverId: OURS }), {}];
  if (state === "init-reboot") return [message("request", { requestedIp: address }), {}];
  return [message("request", {}, { clientIp: address }), { isUnicast: state === "renewing" }];
};
/** The machine has .110, another one has .120; "unknown" never asked before. */
function siteFor(isKnown: boolean): Site {
  const site = new Site();
  lease(site, "192.0.2.120", OTHER);
  if (isKnown) lease(site, "192.0.2.110");
  site.now += 100;
  return site;
}
const answered = (site: Site, state: State, address: string, authoritative: boolean): string => {
  const [request, over] = requestIn(state, address);
  const decision = site.ask(request, { ...over, authoritative });
  if (decision.kind === "ignore") return "silence";
  return decision.packet.options.messageType === MESSAGE.ack ? "ack" : "nak";
};

const ADDRESSES = {
  own: "192.0.2.110",
  free: "192.0.2.130",
  taken: "192.0.2.120",
  outside: "192.0.2.50",
  wrong: "10.9.9.9",
};
type Row = [who: "known" | "unknown", address: keyof typeof ADDRESSES, authoritative: string, not: string];
const TABLE: Record<State, Row[]> = {
  selecting: [
    ["known", "own", "ack", "ack"],
    ["known", "free", "nak", "nak"],
    ["known", "taken", "nak", "nak"],
    ["known", "outside", "nak", "nak"],
    ["known", "wrong", "nak", "nak"],
    ["unknown", "free", "ack", "ack"],
    ["unknown", "taken", "nak", "nak"],
    ["unknown", "outside", "nak", "nak"],
    ["unknown", "wrong", "nak", "nak"],
  ],
  "init-reboot": [
    ["known", "own", "ack", "ack"],
    ["known", "free", "nak", "nak"],
    ["known", "taken", "nak", "nak"],
    ["known", "outside", "nak", "nak"],
    ["known", "wrong", "nak", "silence"],
    ["unknown", "free", "ack", "silence"],
    ["unknown", "taken", "nak", "silence"],
    ["unknown", "outside", "silence", "silence"],
    ["unknown", "wrong", "nak", "silence"],
  ],
  renewing: [
    ["known", "own", "ack", "ack"],
    ["known", "free", "nak", "nak"],
    ["known", "taken", "nak", "nak"],
    ["known", "wrong", "nak", "nak"],
    ["unknown", "free", "nak", "silence"],
    ["unknown", "taken", "nak", "silence"],
    ["unknown", "outside", "nak", "silence"],
    ["unknown", "wrong", "nak", "silence"],
  ],
  rebinding: [
    ["known", "own", "ack", "ack"],
    ["known", "free", "nak", "silence"],
    ["known", "taken", "nak", "silence"],
    ["known", "wrong", "nak", "silence"],
    ["unknown", "free", "nak", "silence"],
    ["unknown", "taken", "nak", "silence"],
    ["unknown", "outside", "nak", "silence"],
    ["unknown", "wrong", "nak", "silence"],
  ],
};
for (const [state, rows] of Object.entries(TABLE) as [State, Row[]][]) {
  describe(state, () => {
    for (const [who, address, authoritative, not] of rows) {
      test(`${who} machine, ${address} address: ${authoritative}; without authority ${not}`, () => {
        const known = who === "known";
        expect(answered(siteFor(known), state, ADDRESSES[address], true)).toBe(authoritative);
        expect(answered(siteFor(known), state, ADDRESSES[address], false)).toBe(not);
      });
    }
  });
}

describe("ACK", () => {
  test("an offered address is acknowledged although the machine has another lease", () => {
    const site = siteFor(true);
    const machine = machineWith({ address: "192.0.2.50" });
    site.book.setMachine(machine);
    const offer = replyOf(site.ask(message("discover"), { machine }));
    expect(offer.packet.yourIp).toBe("192.0.2.50");
    const reply = replyOf(site.ask(message("request", { requestedIp: "192.0.2.50", serverId: OURS }), { machine }));
    // One lease a machine: the old one is over in the same write.
    expect(reply.leases).toMatchObject([
      { address: "192.0.2.110", state: "released" },
      { address: "192.0.2.50", state: "bound" },
    ]);
  });
  test("the same REQUEST again is the same ACK", () => {
    const site = siteFor(true);
    const [request] = requestIn("selecting", "192.0.2.110");
    expect(replyOf(site.ask(request)).bytes).toEqual(replyOf(site.ask(request)).bytes);
  });
  test("repeats the boot data of the OFFER", () => {
    const site = new Site();
    const boot = { vendorClass: "PXEClient:Arch:00007:UNDI:003000", clientArch: [7], clientUuid: new Uint8Array(17) };
    const offer = replyOf(site.ask(message("discover", boot)));
    const { yourIp } = offer.packet;
    const ack = replyOf(site.ask(message("request", { ...boot, requestedIp: yourIp, serverId: OURS })));
    const { messageType: _, ...offered } = offer.packet.options;
    expect(ack.packet).toMatchObject({ bootFile: offer.packet.bootFile, nextServerIp: OURS, yourIp });
    expect(ack.packet.options).toMatchObject(offered);
    expect(ack.events).toMatchObject([{ kind: "dhcp-ack", mac: MAC, detail: { address: yourIp, seconds: 3600 } }]);
  });
  test("any address of the box is us, and so is what the relay calls us (RFC 5107)", () => {
    const remote = subnetAt("10.30.1", { isRelayed: true });
    const site = new Site("192.0.2", {}, [remote]);
    const viaRelay = { relayIp: "10.30.1.1", hops: 1 };
    const relayInfo = fromHex("0b040a1e0101");
    const offer = replyOf(site.ask(message("discover", { relayInfo }, viaRelay)));
    expect(offer.packet.options).toMatchObject({ serverId: "10.30.1.1", relayInfo });
    expect(wireCodes(offer.bytes).slice(-2)).toEqual([82, 255]);
    const selected = { relayInfo, serverId: "10.30.1.1", requestedIp: offer.packet.yourIp };
    expect(replyOf(site.ask(message("request", selected, viaRelay))).packet.options.messageType).toBe(5);
    const other = { serverId: "192.0.2.2", requestedIp: "192.0.2.130" };
    expect(replyOf(site.ask(message("request", other), { ownIps: [OURS, "192.0.2.2"] })).packet.yourIp).toBe(
      "192.0.2.130",
    );
  });
  test("RENEWING keeps the address although another is reserved now; INIT-REBOOT sends the machine there", () => {
    const site = siteFor(true);
    site.book.setMachine(machineWith({ address: "192.0.2.50" }));
    expect(answered(site, "renewing", "192.0.2.110", true)).toBe("ack");
    const [request] = requestIn("init-reboot", "192.0.2.110");
    const nak = replyOf(site.ask(request));
    expect(nak.packet.options).toMatchObject({
      messageType: 6,
      message: expect.stringContaining("192.0.2.50 is reserved"),
    });
  });
  test("INIT-REBOOT keeps the old address while the reserved one cannot be had", () => {
    const site = siteFor(true);
    site.book.setMachine(machineWith({ address: "192.0.2.120" }));
    expect(answered(site, "init-reboot", "192.0.2.110", true)).toBe("ack");
  });
});

describe("NAK", () => {
  test("holds 53, 54, 56 and 61, nothing of a lease; by broadcast, to a renewing client's address as well", () => {
    const site = siteFor(false);
    const request = message("request", { clientId: fromHex("01aa") }, { clientIp: "192.0.2.120" });
    const reply = replyOf(site.ask(request, { isUnicast: true }));
    expect(wireCodes(reply.bytes)).toEqual([53, 54, 56, 61, 255]);
    expect(reply.destination).toEqual({ ip: "255.255.255.255", port: 68 });
    expect(reply.copyTo).toEqual({ ip: "192.0.2.120", port: 68 });
    expect(reply.packet.flags).toBe(0);
    expect(reply.leases).toEqual([]);
    expect(reply.events).toMatchObject([
      { kind: "dhcp-nak", detail: { address: "192.0.2.120", reason: "it is leased to another machine" } },
    ]);
    expect(replyOf(site.ask(request)).copyTo).toBeUndefined();
  });
  test("relayed: to the relay, which is told to broadcast, with its option 82", () => {
    const site = new Site("192.0.2", {}, [subnetAt("10.30.1", { isRelayed: true })]);
    const request = message(
      "request",
      { requestedIp: "10.99.1.1", relayInfo: fromHex("0101aa") },
      { relayIp: "10.30.1.1" },
    );
    const reply = replyOf(site.ask(request));
    expect(wireCodes(reply.bytes)).toEqual([53, 54, 56, 82, 255]);
    expect([reply.packet.flags, reply.destination.ip]).toEqual([0x8000, "10.30.1.1"]);
  });
});

describe("another server's offer", () => {
  test("a plain stranger's choice is nobody's event", () => {
    const decision = new Site().ask(message("request", { requestedIp: "192.0.2.7", serverId: "192.0.2.9" }));
    expect(decision).toMatchObject({ kind: "ignore", changes: [], events: [] });
  });
  test("a known machine's is; its old lease stays", () => {
    const site = siteFor(true);
    const request = message("request", { requestedIp: "192.0.2.7", serverId: "192.0.2.9" });
    const decision = site.ask(request, { machine: machineWith({}) });
    expect(decision.events).toMatchObject([{ kind: "dhcp-other-server", detail: { server: "192.0.2.9" } }]);
    expect(site.book.held("192.0.2.0/24", MAC)?.lease.state).toBe("bound");
  });
  test("without an address too", () => {
    expect(reasonOf(new Site().ask(message("request", { serverId: "192.0.2.9" })))).toContain("another server");
  });
});

test("a REQUEST that names no address is not answered (npm's dhcp client)", () => {
  for (const options of [{}, { serverId: OURS }]) {
    expect(reasonOf(new Site().ask(message("request", options)))).toContain("names no address");
  }
});

describe("while another DHCP server is about", () => {
  const closed = { opensLeases: false };
  test("what runs is renewed", () => {
    const site = siteFor(true);
    for (const state of ["selecting", "init-reboot", "renewing", "rebinding"] as const) {
      const [request, over] = requestIn(state, "192.0.2.110");
      expect(replyOf(site.ask(request, { ...over, ...closed })).packet.options.messageType).toBe(5);
    }
  });
  test("nothing else is opened, and nobody is sent away", () => {
    for (const address of ["192.0.2.130", "192.0.2.120", "10.9.9.9"]) {
      const [request] = requestIn("init-reboot", address);
      expect(reasonOf(siteFor(false).ask(request, closed))).toContain("another DHCP server");
    }
    const site = siteFor(true);
    site.now = NOW + 9999;
    const [request, over] = requestIn("renewing", "192.0.2.110");
    expect(reasonOf(site.ask(request, { ...over, ...closed }))).toContain("another DHCP server");
  });
});
