import { describe, expect, test } from "vitest";
import { OFFER_SECONDS } from "../../../server/dhcp/decide-discover.ts";
import { lease, MAC, message, OTHER } from "./messages.ts";
import { machineWith, reasonOf, replyOf, Site } from "./site.ts";
import { vectorBytes } from "./vectors.ts";

const THIRD = "52:54:00:12:34:58";
const kinds = (events: readonly { kind: string }[]) => events.map(({ kind }) => kind);

describe("offers", () => {
  test("the same address for every retry, whatever its xid, for at least 60 s", () => {
    const site = new Site();
    const first = replyOf(site.ask(message("discover"))).packet.yourIp;
    for (const xid of [1, 2, 3]) {
      site.now += 19;
      expect(replyOf(site.ask(message("discover", {}, { xid }))).packet.yourIp).toBe(first);
      expect(replyOf(site.ask(message("discover", {}, { mac: OTHER }))).packet.yourIp).not.toBe(first);
    }
    expect(OFFER_SECONDS).toBeGreaterThanOrEqual(60);
  });
  test("two machines with one xid get two addresses", () => {
    const site = new Site();
    const of = (mac: string) => replyOf(site.ask(message("discover", {}, { mac, xid: 7 }))).packet.yourIp;
    expect(of(MAC)).not.toBe(of(OTHER));
  });
  test("an offer is no lease: nothing to write, and free again when it is over", () => {
    const site = new Site("192.0.2", { ranges: [{ first: "192.0.2.100", last: "192.0.2.100" }] });
    const offer = replyOf(site.ask(message("discover")));
    expect(offer.leases).toEqual([]);
    expect(reasonOf(site.ask(message("discover", {}, { mac: OTHER })))).toContain("pool of 192.0.2.0/24 is full");
    site.now += OFFER_SECONDS;
    expect(replyOf(site.ask(message("discover", {}, { mac: OTHER }))).packet.yourIp).toBe("192.0.2.100");
  });
  test("a full pool is an event", () => {
    const decision = new Site("192.0.2", { ranges: [] }).ask(message("discover"));
    expect(decision.events).toMatchObject([
      { kind: "dhcp-discover", mac: MAC },
      { kind: "dhcp-pool-full", detail: { pool: "192.0.2.0/24" } },
    ]);
  });
  test("a reservation that cannot be had is an event with its reason, and the machine gets another address", () => {
    const site = new Site();
    lease(site, "192.0.2.150", OTHER);
    const machine = machineWith({ address: "192.0.2.150" });
    site.book.setMachine(machine);
    const reply = replyOf(site.ask(message("discover"), { machine }));
    expect(reply.packet.yourIp).toBe("192.0.2.100");
    expect(reply.events).toContainEqual(
      expect.objectContaining({
        kind: "dhcp-reservation-unusable",
        detail: { address: "192.0.2.150", reason: "is leased to another machine" },
      }),
    );
  });
  test("hardware without an address is known by option 61, and has no MAC in its events", () => {
    const site = new Site();
    const over = { hardwareType: 32, hardwareLength: 0, hardwareAddress: new Uint8Array(16), flags: 0x8000 };
    const reply = replyOf(site.ask(message("discover", { clientId: Uint8Array.of(255, 1, 2) }, over)));
    expect(reply.changes).toMatchObject([{ kind: "offer", offer: { key: "id-ff0102" } }]);
    expect(reply.events[0]).not.toHaveProperty("mac");
    expect(reasonOf(site.ask(message("discover", {}, over)))).toContain("neither a hardware address");
  });
});

describe("probing", () => {
  const probed = (site: Site, over = {}, mac = MAC) =>
    replyOf(site.ask(message("discover", over, { mac }), { probe: true })).probe;
  test("a first offer is probed, a second one of the same address is not", () => {
    const site = new Site();
    expect([probed(site), probed(site)]).toEqual(["192.0.2.100", undefined]);
    expect(probed(site, { requestedIp: "192.0.2.140" }, OTHER)).toBe("192.0.2.140");
  });
  test("an address that the machine has or had is not probed", () => {
    const site = new Site();
    lease(site, "192.0.2.110");
    site.now += 200;
    expect(probed(site)).toBeUndefined();
    site.now += 9999;
    expect(probed(site)).toBeUndefined();
  });
  test("a reservation is probed once, before the machine has it", () => {
    const site = new Site();
    site.book.setMachine(machineWith({ address: "192.0.2.50" }));
    expect([probed(site), probed(site)]).toEqual(["192.0.2.50", undefined]);
  });
  test("the setting turns it off, and a Pi 3 has no time for it", () => {
    const site = new Site();
    expect(replyOf(site.ask(message("discover"))).probe).toBeUndefined();
    expect(replyOf(site.ask(vectorBytes("rpi3b-bootrom-discover"), { probe: true })).probe).toBeUndefined();
  });
  test("an address that answered is set aside, and the next try gets another one", () => {
    const site = new Site();
    const first = replyOf(site.ask(message("discover"), { probe: true }));
    site.book.setAside(site.cidr, first.probe!, "02:00:00:00:00:01", site.now);
    expect(replyOf(site.ask(message("discover"), { probe: true })).probe).toBe("192.0.2.101");
  });
});

describe("while another DHCP server is about", () => {
  const closed = { opensLeases: false };
  test("a stranger is not offered anything, which is an event", () => {
    const decision = new Site().ask(message("discover"), closed);
    expect(reasonOf(decision)).toContain("no new lease is opened");
    expect(kinds(decision.events)).toEqual(["dhcp-discover", "dhcp-ignored"]);
  });
  test("nor is one whose lease is over, or a machine with a reservation only", () => {
    const site = new Site();
    lease(site, "192.0.2.110");
    site.now += 9999;
    reasonOf(site.ask(message("discover"), closed));
    site.book.setMachine(machineWith({ macs: [THIRD], address: "192.0.2.50" }));
    reasonOf(site.ask(message("discover", {}, { mac: THIRD }), closed));
  });
  test("a machine in the middle of its boot goes on with the lease that it has", () => {
    const site = new Site();
    lease(site, "192.0.2.110");
    site.book.setMachine(machineWith({ address: "192.0.2.50" }));
    expect(replyOf(site.ask(message("discover"), closed)).packet.yourIp).toBe("192.0.2.110");
  });
});

describe("subnets and relays", () => {
  test("a relay that nobody configured is not answered", () => {
    expect(reasonOf(new Site().ask(message("discover", {}, { relayIp: "10.99.0.1" })))).toContain("relay 10.99.0.1");
  });
  test("the flags come back as they were, hops and secs do not", () => {
    const reply = replyOf(new Site().ask(message("discover", {}, { flags: 0x8001, hops: 0, secs: 99 })));
    expect(reply.packet).toMatchObject({ flags: 0x8001, hops: 0, secs: 0, clientIp: "0.0.0.0" });
  });
});

test("strangers: ignore: a lease without boot data", () => {
  const site = new Site();
  site.strangers = "ignore";
  const reply = replyOf(site.ask(message("discover", { vendorClass: "PXEClient", clientArch: [7] })));
  expect(reply.packet).toMatchObject({ bootFile: "", nextServerIp: "0.0.0.0" });
  expect(reply.packet.options.vendorOptions).toBeUndefined();
  expect(kinds(reply.events)).toEqual(["dhcp-discover", "dhcp-offer"]);
});
test("strangers: disk: loader data all the same, the script sends it on", () => {
  const site = new Site();
  site.strangers = "disk";
  for (const vendorClass of ["PXEClient", "HTTPClient"]) {
    const reply = replyOf(site.ask(message("discover", { vendorClass, clientArch: [7] })));
    expect(reply.packet.bootFile).toContain("snponly.efi");
  }
});
