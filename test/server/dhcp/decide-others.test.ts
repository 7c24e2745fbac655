import { describe, expect, test } from "vitest";
import { QUARANTINE_SECONDS } from "../../../server/dhcp/leases.ts";
import { lease, MAC, message, OTHER } from "./messages.ts";
import { machineWith, reasonOf, replyOf, Site, wireCodes } from "./site.ts";

const OURS = "192.0.2.1";

describe("DECLINE", () => {
  const decline = (site: Site, address: string, over = {}) =>
    site.ask(message("decline", { requestedIp: address, serverId: OURS, ...over }));
  test("three addresses per machine at a time, no more", () => {
    const site = new Site();
    for (const n of [110, 111, 112]) {
      lease(site, `192.0.2.${n}`);
      expect(decline(site, `192.0.2.${n}`).leases).toMatchObject([{ state: "declined" }]);
    }
    lease(site, "192.0.2.113");
    expect(reasonOf(decline(site, "192.0.2.113"))).toContain("3 addresses already");
    expect(site.book.heldAt(site.cidr, "192.0.2.113")?.lease.state).toBe("bound");
    site.now += QUARANTINE_SECONDS;
    expect(decline(site, "192.0.2.113").leases).toHaveLength(1);
  });
  test("acts only on a lease of this machine, named to this server", () => {
    const site = new Site();
    lease(site, "192.0.2.110", OTHER);
    expect(reasonOf(decline(site, "192.0.2.110"))).toContain("no lease of this machine");
    lease(site, "192.0.2.111");
    expect(reasonOf(decline(site, "192.0.2.110"))).toContain("no lease of this machine");
    const { reason } = site.ask(message("decline", { serverId: OURS })) as { reason: string };
    expect(reason).toContain("no address");
    expect(reasonOf(site.ask(message("decline", { requestedIp: "192.0.2.111" })))).toContain(
      "does not name this server",
    );
    expect(reasonOf(decline(site, "192.0.2.111", { serverId: "192.0.2.9" }))).toContain("does not name this server");
    expect([...site.book.leases()].every(({ state }) => state === "bound")).toBe(true);
  });
});

describe("RELEASE", () => {
  const release = (site: Site, address: string, source = address) =>
    site.ask(message("release", { serverId: OURS }, { clientIp: address }), { source: { ip: source, port: 68 } });
  test("frees the address, which is the machine's again when it comes back", () => {
    const site = new Site();
    lease(site, "192.0.2.110");
    site.now += 10;
    expect(release(site, "192.0.2.110").leases).toMatchObject([{ state: "released", expiresAt: site.now }]);
    expect(site.book.offer(site.cidr, MAC, site.now)).toBeUndefined();
    expect(replyOf(site.ask(message("discover"))).packet.yourIp).toBe("192.0.2.110");
  });
  test("is ignored from nowhere, for no lease, or a second time", () => {
    const site = new Site();
    lease(site, "192.0.2.110");
    expect(reasonOf(release(site, "0.0.0.0"))).toContain("no address");
    expect(reasonOf(release(site, "192.0.2.110", "0.0.0.0"))).toContain("no address");
    expect(reasonOf(release(site, "192.0.2.111"))).toContain("no lease");
    release(site, "192.0.2.110");
    expect(reasonOf(release(site, "192.0.2.110"))).toContain("no lease");
    expect(reasonOf(site.ask(message("release", {}, { clientIp: "192.0.2.110" })))).toContain(
      "does not name this server",
    );
  });
});

describe("INFORM", () => {
  const inform = (options = {}, over = {}, source = "0.0.0.0") =>
    new Site().ask(message("inform", options, { clientIp: "192.0.2.30", ...over }), {
      source: { ip: source, port: 68 },
    });
  test("the network's options to ciaddr; no address, no timers, no boot data", () => {
    const reply = replyOf(inform({ requestedCodes: [1, 3, 6, 51] }));
    expect(reply.destination).toEqual({ ip: "192.0.2.30", port: 68 });
    expect(wireCodes(reply.bytes)).toEqual([53, 54, 1, 3, 6, 255]);
    expect(reply.packet).toMatchObject({ yourIp: "0.0.0.0", clientIp: "192.0.2.30" });
    expect([reply.changes, reply.leases]).toEqual([[], []]);
  });
  test("boot data for PXEClient only", () => {
    expect(replyOf(inform({ vendorClass: "PXEClient", clientArch: [7] })).packet.bootFile).toContain("snponly.efi");
    const http = replyOf(inform({ vendorClass: "HTTPClient", clientArch: [16] }));
    expect([http.packet.bootFile, http.packet.options.bootFileName]).toEqual(["", undefined]);
    expect(replyOf(inform({ vendorClass: "PXEClient", clientArch: [2] })).packet.bootFile).toBe("");
  });
  test("without ciaddr to its source; from another network not at all", () => {
    expect(replyOf(inform({}, { clientIp: "0.0.0.0" }, "192.0.2.31")).destination.ip).toBe("192.0.2.31");
    expect(reasonOf(inform({}, { clientIp: "10.9.9.9" }))).toContain("10.9.9.9, which is not in 192.0.2.0/24");
  });
});

test("BOOTP, replies and unknown message types are not served", () => {
  const site = new Site();
  const { messageType: _, ...bootp } = message("discover").options;
  expect(reasonOf(site.ask({ ...message("discover"), options: bootp }))).toContain("BOOTP");
  expect(reasonOf(site.ask({ ...message("offer"), op: 2 }))).toContain("reply");
  for (const messageType of [2, 5, 6, 9, 10, 13, 0, 255]) {
    expect(reasonOf(site.ask({ ...message("discover"), options: { messageType } }))).toContain("is not served");
  }
  expect(machineWith({}).macs).toEqual([MAC]);
});
