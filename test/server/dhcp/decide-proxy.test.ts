import { describe, expect, test } from "vitest";
import type { ReplyFacts } from "../../../server/dhcp/facts.ts";
import { message } from "./messages.ts";
import { reasonOf, replyOf, Site, wireCodes, wireOption } from "./site.ts";
import { fromHex, toHex, vectorBytes } from "./vectors.ts";

const proxy: Partial<ReplyFacts> = { mode: "proxy" };
const uefi = { vendorClass: "PXEClient:Arch:00007:UNDI:003000", clientArch: [7] };
const kinds = (events: readonly { kind: string }[]) => events.map(({ kind }) => kind);

describe("on port 67", () => {
  test("a DISCOVER of a booting client gets boot data and nothing of a lease; no subnet is needed", () => {
    const site = new Site();
    const reply = replyOf(site.ask(message("discover", uefi, { relayIp: "10.99.0.1" }), proxy));
    expect(wireCodes(reply.bytes)).toEqual([53, 54, 60, 43, 66, 67, 255]);
    expect(kinds(reply.events)).toEqual(["dhcp-discover", "dhcp-proxy-offer"]);
    expect([reply.changes, reply.leases]).toEqual([[], []]);
    expect(reply.destination).toEqual({ ip: "10.99.0.1", port: 67 });
  });
  test("plain clients and Apple's get silence", () => {
    for (const options of [{}, { vendorClass: "AAPLBSDPC/i386" }, { vendorClass: "MSFT 5.0" }, { clientArch: [7] }]) {
      expect(reasonOf(new Site().ask(message("discover", options), proxy))).toContain("booting clients only");
    }
  });
  test("a REQUEST is never acknowledged; a booting client's choice of the other server is an event", () => {
    const other = new Site().ask(
      message("request", { ...uefi, serverId: "192.0.2.9", requestedIp: "192.0.2.7" }),
      proxy,
    );
    expect(kinds(other.events)).toEqual(["dhcp-other-server"]);
    for (const options of [{ serverId: "192.0.2.9" }, { ...uefi, serverId: "192.0.2.1" }, uefi]) {
      const decision = new Site().ask(message("request", options), proxy);
      expect([decision.kind, decision.events]).toEqual(["ignore", []]);
    }
  });
  test("a machine that gets no boot data is not answered, and the reason is an event", () => {
    const site = new Site();
    site.strangers = "ignore";
    const decision = site.ask(message("discover", uefi), proxy);
    expect(reasonOf(decision)).toContain("strangers: ignore");
    expect(kinds(decision.events)).toEqual(["dhcp-discover", "dhcp-ignored"]);
  });
});

describe("on port 4011", () => {
  const at: Partial<ReplyFacts> = { port: 4011, source: { ip: "192.0.2.77", port: 68 } };
  const ask = (type: "request" | "inform" | "discover", options = {}, over = {}) =>
    new Site().ask(message(type, { ...uefi, ...options }, { clientIp: "192.0.2.77", ...over }), at);
  test("REQUEST and INFORM get an ACK to where they came from", () => {
    for (const type of ["request", "inform"] as const) {
      const reply = replyOf(ask(type));
      expect(reply.destination).toEqual({ ip: "192.0.2.77", port: 68 });
      expect(reply.packet).toMatchObject({ clientIp: "192.0.2.77", yourIp: "192.0.2.77" });
      expect(wireCodes(reply.bytes)).toEqual([53, 54, 60, 66, 67, 255]);
    }
  });
  test("a 16-byte GUID for chaddr comes back whole (EDK2 SendGUID)", () => {
    const hardwareAddress = fromHex("000102030405060708090a0b0c0d0e0f");
    const reply = replyOf(ask("request", {}, { hardwareLength: 16, hardwareAddress }));
    expect(reply.packet).toMatchObject({ hardwareLength: 16, hardwareAddress });
  });
  test("the boot item comes back; a broken one does not", () => {
    const item = (hex: string) => replyOf(ask("request", { vendorOptions: fromHex(hex) })).bytes;
    expect(toHex(wireOption(item("470480010000ff"), 43)!)).toBe("470480010000ff");
    for (const hex of ["4703800100ff", "060108ff", "47"]) expect(wireOption(item(hex), 43)).toBeUndefined();
  });
  test("a Pi gets its menu", () => {
    const pi = {
      vendorClass: "PXEClient:Arch:00000:UNDI:002001",
      clientArch: [0],
      clientUuid: fromHex(`0052506934${"01".repeat(12)}`),
    };
    expect(wireOption(replyOf(ask("request", pi)).bytes, 43)).toHaveLength(35);
  });
  test("other message types and other clients are not answered there", () => {
    expect(reasonOf(ask("discover"))).toContain("port 4011 answers REQUEST and INFORM");
    for (const vendorClass of ["HTTPClient", "U-Boot.armv8", "udhcp 1.36"]) {
      expect(reasonOf(ask("request", { vendorClass }))).toContain("PXE clients only");
    }
  });
  test("without a loader: no answer, and an event that says why", () => {
    const decision = ask("request", { clientArch: [6] });
    expect(reasonOf(decision)).toContain("uefi i386");
    expect(kinds(decision.events)).toEqual(["dhcp-no-loader"]);
  });
});

test("the Pi 3 gets its second before the proxy's offer", () => {
  expect(replyOf(new Site().ask(vectorBytes("rpi3-bootcode-discover"), proxy)).delayMs).toBe(1000);
});
