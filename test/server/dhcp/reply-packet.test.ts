// How long a reply may be, what is left out first, and what is never.
import { describe, expect, test } from "vitest";
import { maxPayloadBytes } from "../../../server/dhcp/reply-packet.ts";
import { lease, message } from "./messages.ts";
import { machineWith, reasonOf, replyOf, Site, subnetAt, wireCodes } from "./site.ts";
import { fromHex } from "./vectors.ts";

describe("maxPayloadBytes", () => {
  const CASES = [
    { name: "57 absent: 576", maxMessageBytes: undefined, mtu: 1500, want: 548 },
    { name: "57 under 576 counts as 576", maxMessageBytes: 300, mtu: 1500, want: 548 },
    { name: "a BIOS ROM's 1260", maxMessageBytes: 1260, mtu: 1500, want: 1232 },
    { name: "EDK2's 65280: the MTU", maxMessageBytes: 65280, mtu: 1500, want: 1472 },
    { name: "a small MTU", maxMessageBytes: 1472, mtu: 1000, want: 972 },
    { name: "jumbo frames: EDK2 and iPXE still drop what is over 1472", maxMessageBytes: 65280, mtu: 9000, want: 1472 },
  ];
  for (const { name, maxMessageBytes, mtu, want } of CASES) {
    test(name, () => {
      const options = maxMessageBytes === undefined ? {} : { maxMessageBytes };
      expect(maxPayloadBytes(message("discover", options), mtu)).toBe(want);
    });
  }
});

describe("a reply that is too long", () => {
  const WANTED = [1, 3, 6, 12, 15, 28, 42, 119, 121, 249];
  const machine = machineWith({ name: "n".repeat(60), address: "192.0.2.150" });
  const site = (bulk: number) => {
    const made = new Site("192.0.2", {
      domain: "d".repeat(60),
      ntp: ["192.0.2.9"],
      domainSearch: ["s".repeat(40)],
      routes: [{ to: "10.0.0.0/8", via: "192.0.2.254" }],
      dns: Array.from({ length: bulk }, (_, i) => `192.0.2.${i}`),
    });
    made.book.setMachine(machine);
    return made;
  };
  const codesWith = (bulk: number) =>
    wireCodes(replyOf(site(bulk).ask(message("discover", { requestedCodes: WANTED }), { machine })).bytes);
  test("drops 119, 12, 15, 42, 121 and 249, 28 in that order, as many as it must, and never the lease", () => {
    const ORDER = [[119], [12], [15], [42], [121, 249], [28]];
    let dropped = 0;
    for (let bulk = 1; bulk <= 63; bulk++) {
      const codes = codesWith(bulk);
      const gone = ORDER.map((group) => group.every((code) => !codes.includes(code)));
      const count = gone.lastIndexOf(true) + 1;
      expect(gone.slice(0, count)).toEqual(new Array(count).fill(true));
      expect(count).toBeGreaterThanOrEqual(dropped);
      dropped = count;
      for (const code of [53, 54, 51, 1, 3, 6]) expect(codes).toContain(code);
    }
    expect(dropped).toBeGreaterThan(1);
  });
  test("what a client sends to be echoed can leave no room: no answer, and why", () => {
    const relayed = subnetAt("10.30.1", { isRelayed: true });
    const full = new Site("192.0.2", {}, [relayed]);
    const echo = { clientId: new Uint8Array(255), relayInfo: new Uint8Array(255) };
    expect(reasonOf(full.ask(message("discover", echo, { relayIp: "10.30.1.1" })))).toContain("no room");
  });
  test("what cannot be sent in one piece is not echoed", () => {
    const reply = replyOf(new Site().ask(message("discover", { clientId: new Uint8Array(256) })));
    expect(wireCodes(reply.bytes)).not.toContain(61);
  });
  test("a setting that no packet can hold is a fault that names it", () => {
    const many = new Site("192.0.2", { dns: Array.from({ length: 64 }, () => "192.0.2.53") });
    expect(() => many.ask(message("discover"))).toThrow(
      expect.objectContaining({ code: "DOES_NOT_FIT", message: expect.stringContaining("option 6 is 256 bytes") }),
    );
  });
});

describe("network options", () => {
  const codes = (site: Site, requestedCodes: number[], over = {}) =>
    wireCodes(replyOf(site.ask(message("discover", { requestedCodes }), over)).bytes);
  test("nothing is sent that is not configured, and an empty list is not sent", () => {
    const bare = new Site("192.0.2", { dns: [] });
    const { gateway: _, ...noGateway } = bare.subnets[0]!;
    const site = new Site("192.0.2", { dns: [], domainSearch: [] });
    site.subnets[0] = { ...noGateway, dns: [], domainSearch: [] };
    expect(codes(site, [1, 3, 6, 12, 15, 26, 42, 119, 121, 249])).toEqual([53, 54, 51, 58, 59, 1, 255]);
  });
  test("routes without a gateway have no default route among them", () => {
    const { gateway: _, ...subnet } = subnetAt("192.0.2", { routes: [{ to: "10.0.0.0/8", via: "192.0.2.9" }] });
    const site = new Site();
    site.subnets[0] = subnet;
    const reply = replyOf(site.ask(message("discover", { requestedCodes: [121] })));
    expect(reply.packet.options.routes).toEqual([{ to: "10.0.0.0/8", via: "192.0.2.9" }]);
    expect(reply.packet.options.routers).toBeUndefined();
  });
  test("121 has the default route in it, 3 is sent beside it, 249 only when asked for", () => {
    const site = new Site("192.0.2", { routes: [{ to: "10.0.0.0/8", via: "192.0.2.9" }] });
    const reply = replyOf(site.ask(message("discover", { requestedCodes: [121] })));
    expect(reply.packet.options.routes).toContainEqual({ to: "0.0.0.0/0", via: "192.0.2.254" });
    expect([reply.packet.options.routers, reply.packet.options.microsoftRoutes]).toEqual([["192.0.2.254"], undefined]);
  });
  test("26 when it is configured and asked for", () => {
    const site = new Site("192.0.2", { mtu: 1400 });
    expect(codes(site, [26])).toContain(26);
    expect(codes(site, [1])).not.toContain(26);
  });
  test("a host name for a reserved machine only", () => {
    const site = new Site();
    const named = machineWith({ name: "node7" });
    expect(codes(site, [12], { machine: named })).not.toContain(12);
    expect(codes(site, [12], { machine: { ...named, address: "192.0.2.50", lifecycle: "discovered" } })).not.toContain(
      12,
    );
    expect(codes(site, [12], { machine: { ...named, address: "192.0.2.50", lifecycle: "retired" } })).not.toContain(12);
    expect(codes(site, [12], { machine: { ...named, address: "192.0.2.50" } })).toContain(12);
  });
  test("an empty option 82, and one without a relay, are not echoed", () => {
    const site = new Site("192.0.2", {}, [subnetAt("10.30.1", { isRelayed: true })]);
    const relayed = message("discover", { relayInfo: new Uint8Array() }, { relayIp: "10.30.1.1" });
    expect(wireCodes(replyOf(site.ask(relayed)).bytes)).not.toContain(82);
    expect(wireCodes(replyOf(site.ask(message("discover", { relayInfo: fromHex("0101aa") }))).bytes)).not.toContain(82);
  });
});

test("a lease of ffffffff has no T1 and T2, and never 0 seconds", () => {
  const site = new Site("192.0.2", { leaseSeconds: 0xffffffff });
  const reply = lease(site, "192.0.2.110");
  expect(reply.packet.options).toMatchObject({ leaseSeconds: 0xffffffff });
  for (const code of [58, 59]) expect(wireCodes(reply.bytes)).not.toContain(code);
});
