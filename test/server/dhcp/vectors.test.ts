// Every DHCP and PXE vector by name: each sentence of its expected_behaviour as an expectation, for the full server (A) and
// the proxy (P) where it speaks of both. The last test sees to it that no vector is left out.
import { describe, expect, test } from "vitest";
import type { ReplyFacts } from "../../../server/dhcp/facts.ts";
import { decodePacket, encodePacket } from "../../../server/dhcp/packet.ts";
import { collectSubOptions } from "../../../server/dhcp/relay.ts";
import { machineWith, NOW, reasonOf, replyOf, Site, subnetAt, wireCodes, wireOption } from "./site.ts";
import { DHCP_VECTORS, fromHex, toHex, vectorBytes } from "./vectors.ts";

const seen = new Set<string>();
/** Bytes of a vector, noted as used. */
function bytesOf(name: string, extra?: Record<string, unknown>): Uint8Array {
  seen.add(name);
  return vectorBytes(name, extra);
}
const packetOf = (name: string) => decodePacket(bytesOf(name));
const latin = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("latin1");
const proxy: Partial<ReplyFacts> = { mode: "proxy" };
const PI_MENU = fromHex(`060103 0a0400 505845 0917000014 ${Buffer.from("Raspberry Pi Boot   ").toString("hex")} ff`);

describe("Raspberry Pi", () => {
  const DISCOVERS = [
    { name: "rpi3b-bootrom-discover", model: "Pi 3 or older" },
    { name: "rpi3-bootcode-discover", model: "Pi 3 or older" },
    { name: "rpi3-bootcode-discover-tcpdump-proxy", model: "Pi 3 or older" },
    { name: "rpi4-discover-serial-option97", model: undefined },
    { name: "rpi4-discover-technitium", model: "RPi4" },
  ];
  for (const { name, model } of DISCOVERS) {
    const isOld = model === "Pi 3 or older";
    test(`${name} A: lease, 43 with the Pi's menu, 66, 97 echoed, no file, no PAD`, () => {
      const site = new Site();
      const request = decodePacket(bytesOf(name));
      const reply = replyOf(site.ask(request));
      const { options } = reply.packet;
      expect(reply.packet).toMatchObject({ yourIp: "192.0.2.100", nextServerIp: "192.0.2.1", bootFile: "" });
      expect(options).toMatchObject({
        messageType: 2,
        serverId: "192.0.2.1",
        leaseSeconds: isOld ? 600 : 3600,
        subnetMask: "255.255.255.0",
        routers: ["192.0.2.254"],
        vendorClass: "PXEClient",
      });
      expect(options.bootFileName).toBeUndefined();
      expect(options.clientUuid).toEqual(request.options.clientUuid);
      expect(wireOption(reply.bytes, 43)).toEqual(PI_MENU);
      expect(PI_MENU).toHaveLength(35);
      expect(latin(wireOption(reply.bytes, 66))).toBe("192.0.2.1\0");
      expect(wireCodes(reply.bytes)).not.toContain(0);
      expect(reply.events).toContainEqual(expect.objectContaining({ kind: "raspberry-pi", detail: { model } }));
      expect(reply.delayMs).toBe(isOld ? 1000 : undefined);
    });
    test(`${name} P: no address, 54, 60, 97, 43 and 66`, () => {
      const request = decodePacket(bytesOf(name));
      const reply = replyOf(new Site().ask(request, proxy));
      expect(reply.packet).toMatchObject({ yourIp: "0.0.0.0", nextServerIp: "192.0.2.1", bootFile: "" });
      const has97 = request.options.clientUuid !== undefined;
      expect(wireCodes(reply.bytes)).toEqual([53, 54, 60, ...(has97 ? [97] : []), 43, 66, 255]);
      expect(wireOption(reply.bytes, 43)).toEqual(PI_MENU);
      expect(reply.packet.options.serverId).toBe("192.0.2.1");
      expect(reply.delayMs).toBe(isOld ? 1000 : undefined);
    });
  }

  test("rpi3b-bootrom-discover: the offered address stays the Pi's without a REQUEST, and every try is answered", () => {
    const site = new Site();
    const bytes = bytesOf("rpi3b-bootrom-discover");
    const first = replyOf(site.ask(bytes));
    // It never sends a REQUEST, so the offer is the promise: durable before it leaves.
    expect(first.leases).toEqual([
      expect.objectContaining({
        mac: "b8:27:eb:6c:4c:16",
        address: "192.0.2.100",
        state: "bound",
        expiresAt: NOW + 600,
      }),
    ]);
    for (let tries = 1; tries < 5; tries++) {
      site.now += 5;
      const again = replyOf(site.ask(bytes));
      expect(again.packet.yourIp).toBe("192.0.2.100");
      expect(again.packet.options.leaseSeconds).toBeLessThanOrEqual(600);
    }
    site.now += 400;
    expect(replyOf(site.ask(bytesOf("udhcpc-discover"))).packet.yourIp).toBe("192.0.2.101");
  });
  test("rpi3-bootcode-discover: two Pis with one xid get two addresses", () => {
    const site = new Site();
    const a = replyOf(site.ask(bytesOf("rpi3b-bootrom-discover")));
    const b = replyOf(site.ask(bytesOf("rpi3-bootcode-discover")));
    expect(a.packet.xid).toBe(b.packet.xid);
    expect([a.packet.yourIp, b.packet.yourIp]).toEqual(["192.0.2.100", "192.0.2.101"]);
  });

  test("rpi4-request: ACK with 1, 3, 43, 60, 66, 97 although it asks for nothing and sets siaddr", () => {
    const site = new Site("192.168.2", { ranges: [{ first: "192.168.2.40", last: "192.168.2.50" }] });
    const bytes = bytesOf("rpi4-request");
    const request = decodePacket(bytes);
    expect(request.options.requestedCodes).toBeUndefined();
    site.ask({ ...request, options: { ...request.options, messageType: 1 } });
    const reply = replyOf(site.ask(bytes));
    expect(reply.packet).toMatchObject({ yourIp: "192.168.2.40", nextServerIp: "192.168.2.1" });
    for (const code of [1, 3, 43, 60, 66, 97]) expect(wireCodes(reply.bytes)).toContain(code);
    expect(wireOption(reply.bytes, 97)).toEqual(request.options.clientUuid);
  });
  test("rpi4-request: the same of 2019, without option 60 and 97, is known by its pending offer", () => {
    const site = new Site("192.168.2", { ranges: [{ first: "192.168.2.40", last: "192.168.2.50" }] });
    const request = packetOf("rpi4-request");
    const { vendorClass: _, clientUuid: __, ...old } = request.options;
    site.ask({ ...request, options: { ...request.options, messageType: 1 } });
    const reply = replyOf(site.ask({ ...request, options: old }));
    expect(wireOption(reply.bytes, 43)).toEqual(PI_MENU);
  });

  test("rpi4-proxy-offer-from-dnsmasq: a reply is parsed, and answered by nobody", () => {
    const packet = packetOf("rpi4-proxy-offer-from-dnsmasq");
    expect(packet).toMatchObject({ op: 2, yourIp: "0.0.0.0" });
    expect(packet.options).toMatchObject({ messageType: 2, serverId: "192.168.2.52", vendorClass: "PXEClient" });
    expect(latin(packet.options.vendorOptions)).toContain("Raspberry Pi Boot");
    expect(reasonOf(new Site().ask(packet))).toContain("reply");
  });
});

describe("PXE firmware", () => {
  const BIOS = ["bios-asrock-discover", "bios-hp-ascii-uuid-discover", "bios-hp-discover-dhcpjs"];
  const UEFI = [
    { name: "edk2-pxe-x64-discover", file: "ipxe/x86_64/snponly.efi" },
    { name: "edk2-pxe-aa64-discover", file: "ipxe/arm64/ipxe-arm64.efi" },
    { name: "edk2-pxe-zero-guid-discover", file: "ipxe/x86_64/snponly.efi" },
    { name: "uboot-distro-efi-discover", file: "ipxe/arm64/ipxe-arm64.efi" },
  ];
  const ALL = [...BIOS.map((name) => ({ name, file: "ipxe/bios/undionly.kpxe" })), ...UEFI];
  for (const { name, file } of ALL) {
    test(`${name} A: one OFFER with lease, loader, 60 and 43=06 01 08 ff`, () => {
      const request = decodePacket(bytesOf(name));
      const reply = replyOf(new Site().ask(request));
      const { packet } = reply;
      expect(packet).toMatchObject({ yourIp: "192.0.2.100", nextServerIp: "192.0.2.1", bootFile: file });
      expect([packet.xid, packet.flags]).toEqual([request.xid, request.flags]);
      expect(packet.hardwareAddress).toEqual(request.hardwareAddress);
      expect(packet.options).toMatchObject({ serverId: "192.0.2.1", leaseSeconds: 3600, subnetMask: "255.255.255.0" });
      expect(packet.options.vendorClass).toBe("PXEClient");
      expect(toHex(wireOption(reply.bytes, 43)!)).toBe("060108ff");
      expect(wireOption(reply.bytes, 97)).toEqual(request.options.clientUuid);
      expect(latin(wireOption(reply.bytes, 67))).toBe(`${file}\0`);
      if (request.flags === 0x8000) expect(reply.destination).toEqual({ ip: "255.255.255.255", port: 68 });
      expect(reply.bytes.length).toBeLessThanOrEqual((request.options.maxMessageBytes ?? 576) - 28);
      expect(reply.bytes.length).toBeGreaterThanOrEqual(300);
      expect(wireCodes(reply.bytes).every((code) => wireOption(reply.bytes, code)?.length !== 0)).toBe(true);
    });
    test(`${name} P: no address, 54, 60, 97, 43, file, and nothing of a lease`, () => {
      const request = decodePacket(bytesOf(name));
      const reply = replyOf(new Site().ask(request, proxy));
      expect(reply.packet).toMatchObject({ yourIp: "0.0.0.0", nextServerIp: "192.0.2.1", bootFile: file });
      const has97 = request.options.clientUuid !== undefined;
      expect(wireCodes(reply.bytes)).toEqual([53, 54, 60, ...(has97 ? [97] : []), 43, 66, 67, 255]);
      expect(toHex(wireOption(reply.bytes, 43)!)).toBe("060108ff");
      expect(wireOption(reply.bytes, 97)).toEqual(request.options.clientUuid);
      expect(reply.destination).toEqual({ ip: "255.255.255.255", port: 68 });
      expect(reply.leases).toEqual([]);
    });
  }
  for (const name of ["bios-asrock-discover", "edk2-pxe-zero-guid-discover"]) {
    test(`${name}: the shared UUID is no identity`, () => {
      expect(new Site().factsFor(packetOf(name), {}).client.uuid).toBeUndefined();
    });
  }
  test("bios-hp-ascii-uuid-discover: the ASCII in option 97 comes back byte for byte", () => {
    const reply = replyOf(new Site().ask(bytesOf("bios-hp-ascii-uuid-discover")));
    expect(toHex(wireOption(reply.bytes, 97)!)).toBe("0000000000303032313238313034413245");
  });
  test("edk2-pxe-x64-discover: retries after 4, 8, 16 and 32 s with more secs get the same answer", () => {
    const site = new Site();
    const request = packetOf("edk2-pxe-x64-discover");
    const first = replyOf(site.ask(request));
    for (const wait of [4, 8, 16, 32]) {
      site.now += wait;
      expect(replyOf(site.ask({ ...request, secs: site.now - NOW })).bytes).toEqual(first.bytes);
    }
  });
  test("edk2-pxe-aa64-discover: a Pi's MAC under UEFI gets no Pi reply", () => {
    const reply = replyOf(new Site().ask(bytesOf("edk2-pxe-aa64-discover")));
    expect(latin(reply.packet.options.vendorOptions)).not.toContain("Raspberry");
  });
  test("edk2-pxe-ia32-discover A: a lease without boot file, and an event that says why", () => {
    const reply = replyOf(new Site().ask(bytesOf("edk2-pxe-ia32-discover")));
    expect(reply.packet).toMatchObject({ yourIp: "192.0.2.100", nextServerIp: "0.0.0.0", bootFile: "" });
    for (const code of [43, 60, 66, 67]) expect(wireCodes(reply.bytes)).not.toContain(code);
    expect(reply.events).toContainEqual(expect.objectContaining({ kind: "dhcp-no-loader", mac: "52:54:00:12:34:57" }));
    expect(reply.packet.options.subnetMask).toBe("255.255.255.0");
  });
  test("edk2-pxe-ia32-discover P: silence, and an event that says why", () => {
    const decision = new Site().ask(bytesOf("edk2-pxe-ia32-discover"), proxy);
    expect(reasonOf(decision)).toContain("uefi i386 (code 6)");
    expect(decision.events).toContainEqual(expect.objectContaining({ kind: "dhcp-no-loader" }));
  });
  test("uboot-distro-efi-discover: no option 97 is needed, and the datagram stays within 576 bytes", () => {
    const request = packetOf("uboot-distro-efi-discover");
    expect(request.options.clientUuid).toBeUndefined();
    const reply = replyOf(new Site("192.0.2", { domain: "x".repeat(200) }).ask(request));
    expect(reply.bytes.length).toBeLessThanOrEqual(576 - 28);
  });
  test("ovmf-pxe-request-openstack: ACK for the offered address only, else silence and a free offer", () => {
    const bytes = bytesOf("ovmf-pxe-request-openstack");
    const site = new Site("10.0.100", { ranges: [{ first: "10.0.100.99", last: "10.0.100.199" }] });
    const request = decodePacket(bytes);
    site.facts = { serverIp: "10.0.100.3", ownIps: ["10.0.100.3"] };
    const { serverId: _, requestedIp: __, ...discover } = request.options;
    site.ask({ ...request, options: { ...discover, messageType: 1 } });
    const reply = replyOf(site.ask(bytes));
    expect(reply.packet).toMatchObject({ yourIp: "10.0.100.99", flags: 0x8000 });
    expectOthersRequestFreesOffer(bytes, "10.0.100");
  });
});

/** A REQUEST to another server: no NAK, our offer is free again, the old lease is not touched. */
function expectOthersRequestFreesOffer(bytes: Uint8Array, three: string): void {
  const site = new Site(three);
  site.facts = { serverIp: `${three}.77`, ownIps: [`${three}.77`] };
  const request = decodePacket(bytes);
  const { serverId: _, requestedIp: __, ...options } = request.options;
  const offer = replyOf(site.ask({ ...request, options: { ...options, messageType: 1 } }));
  const decision = site.ask(bytes);
  expect(reasonOf(decision)).toContain("took the offer of another server");
  expect(decision.changes).toEqual([expect.objectContaining({ kind: "drop-offer" })]);
  expect(decision.events).toContainEqual(expect.objectContaining({ kind: "dhcp-other-server" }));
  const next = replyOf(site.ask(vectorBytes("bad-cookie-4")));
  expect(next.packet.yourIp).toBe(offer.packet.yourIp);
}

describe("port 4011", () => {
  for (const mode of ["server", "proxy"] as const) {
    const at = { mode, port: 4011, isUnicast: true, source: { ip: "192.0.2.100", port: 4011 } } as const;
    test(`edk2-pxe-x64-4011-binl ${mode}: ACK to the client's own port 4011 with 54, 60, siaddr and file`, () => {
      const request = packetOf("edk2-pxe-x64-4011-binl");
      const reply = replyOf(new Site().ask(request, at));
      expect(reply.destination).toEqual({ ip: "192.0.2.100", port: 4011 });
      expect(reply.packet).toMatchObject({
        op: 2,
        xid: request.xid,
        clientIp: "192.0.2.100",
        nextServerIp: "192.0.2.1",
      });
      expect(reply.packet.bootFile).toBe("ipxe/x86_64/snponly.efi");
      expect(reply.packet.hardwareAddress).toEqual(request.hardwareAddress);
      expect(reply.packet.options).toMatchObject({ messageType: 5, serverId: "192.0.2.1", vendorClass: "PXEClient" });
      expect(wireCodes(reply.bytes)).toEqual([53, 54, 60, 97, 66, 67, 255]);
      // Retries after 1, 2, 3, 4 s: the same again.
      expect(replyOf(new Site().ask(request, at)).bytes).toEqual(reply.bytes);
    });
    test(`edk2-pxe-x64-4011-bootitem ${mode}: the item comes back in 43.71`, () => {
      const reply = replyOf(new Site().ask(bytesOf("edk2-pxe-x64-4011-bootitem"), at));
      expect(toHex(wireOption(reply.bytes, 43)!)).toBe("470480010000ff");
      expect(reply.packet).toMatchObject({ nextServerIp: "192.0.2.1", bootFile: "ipxe/x86_64/snponly.efi" });
      expect(reply.destination).toEqual({ ip: "192.0.2.100", port: 4011 });
    });
    test(`ipxe-pxebs-4011-xid0 ${mode}: xid 0 is legal, the answer goes to port 68, arch comes from 93`, () => {
      const from = { ...at, source: { ip: "192.168.1.181", port: 68 } };
      const bytes = bytesOf("ipxe-pxebs-4011-xid0", { opt93: "0007" });
      const site = new Site("192.168.1");
      const reply = replyOf(site.ask(bytes, from));
      expect(reply.packet).toMatchObject({ xid: 0, flags: 0x8000 });
      expect(reply.destination).toEqual({ ip: "192.168.1.181", port: 68 });
      expect(toHex(wireOption(reply.bytes, 43)!)).toBe("470480000000ff");
      expect(site.factsFor(decodePacket(bytes), {}).client).toMatchObject({
        kind: "ipxe",
        archCode: 7,
        arch: "x86_64",
      });
      expect(reply.packet.options.vendorClass).toBe("PXEClient");
    });
  }
});

describe("UEFI HTTP Boot", () => {
  const URI = "http://192.0.2.1:8080/ipxe-http/60-be-b4-06-13-37/x86_64/snponly.efi";
  test("edk2-http-x64-discover-captured A: HTTPClient, an absolute URI, netmask, router, name server, no 43", () => {
    const request = packetOf("edk2-http-x64-discover-captured");
    expect(request.options.requestedCodes).toContain(0xcc);
    const reply = replyOf(new Site().ask(request));
    expect(latin(wireOption(reply.bytes, 67))).toBe(`${URI}\0`);
    expect(reply.packet.bootFile).toBe(URI);
    for (const code of [1, 3, 6, 51, 54]) expect(wireCodes(reply.bytes)).toContain(code);
    expect(wireCodes(reply.bytes)).not.toContain(43);
    expect(wireCodes(reply.bytes)).not.toContain(0xcc);
    expect(latin(wireOption(reply.bytes, 60))).toBe("HTTPClient");
  });
  test("edk2-http-x64-discover-captured P: no address, HTTPClient and the URI", () => {
    const reply = replyOf(new Site().ask(bytesOf("edk2-http-x64-discover-captured"), proxy));
    expect(wireCodes(reply.bytes)).toEqual([53, 54, 60, 97, 66, 67, 255]);
    expect(reply.packet.yourIp).toBe("0.0.0.0");
    expect(reply.packet.options).toMatchObject({ vendorClass: "HTTPClient", bootFileName: URI });
  });
  test("edk2-http-x64-request: the ACK repeats HTTPClient and the URI", () => {
    const site = new Site();
    const request = packetOf("edk2-http-x64-request");
    const { serverId: _, ...discover } = request.options;
    // 50 is also the hint of the DISCOVER, so that the offer is the address of the recorded REQUEST.
    expect(replyOf(site.ask({ ...request, options: { ...discover, messageType: 1 } })).packet.yourIp).toBe(
      "192.0.2.101",
    );
    const reply = replyOf(site.ask(bytesOf("edk2-http-x64-request")));
    expect(reply.packet.options).toMatchObject({ messageType: 5, vendorClass: "HTTPClient", bootFileName: URI });
    expectOthersRequestFreesOffer(bytesOf("edk2-http-x64-request"), "192.0.2");
  });
});

describe("U-Boot", () => {
  test("uboot-arm64-discover A: lease and siaddr; its tree is not served, which an event says", () => {
    const request = packetOf("uboot-arm64-discover");
    const reply = replyOf(new Site().ask(request));
    expect(reply.packet).toMatchObject({ yourIp: "192.0.2.100", nextServerIp: "192.0.2.1", xid: request.xid });
    expect(reply.events).toContainEqual(expect.objectContaining({ kind: "dhcp-no-loader" }));
    expect(reply.bytes.length).toBeLessThanOrEqual(548);
  });
  test("uboot-arm64-request-captured: arch 22 with a Pi's MAC is U-Boot, not a Pi", () => {
    const site = new Site("10.0.0", { ranges: [{ first: "10.0.0.19", last: "10.0.0.99" }] });
    const request = packetOf("uboot-arm64-request-captured");
    const reply = replyOf(site.ask(request));
    expect(site.factsFor(request, {}).client).toMatchObject({ kind: "uboot", arch: "arm64", archCode: 22 });
    expect(reply.packet.options.messageType).toBe(5);
    expect(reply.packet.options.vendorOptions).toBeUndefined();
    expectOthersRequestFreesOffer(bytesOf("uboot-arm64-request-captured"), "10.0.0");
  });
});

describe("iPXE", () => {
  const URL = "http://192.0.2.1:8080/boot/entry.ipxe";
  for (const name of ["ipxe-bios-virtio-discover", "ipxe-efi-arm64-discover"]) {
    test(`${name} A: siaddr and the script's http:// URL, 175.176 = 1, no 43, no 52, no 77`, () => {
      const site = new Site();
      const request = packetOf(name);
      expect(site.factsFor(request, {}).client).toMatchObject({ kind: "ipxe", hasHttp: true });
      const reply = replyOf(site.ask(request));
      expect(reply.packet).toMatchObject({ nextServerIp: "192.0.2.1", bootFile: URL });
      expect(toHex(wireOption(reply.bytes, 175)!)).toBe("b00101");
      for (const code of [43, 52, 60, 77]) expect(wireCodes(reply.bytes)).not.toContain(code);
    });
    test(`${name} P: no address, PXEClient, siaddr and the URL`, () => {
      const reply = replyOf(new Site().ask(bytesOf(name), proxy));
      expect(reply.packet).toMatchObject({ yourIp: "0.0.0.0", nextServerIp: "192.0.2.1", bootFile: URL });
      expect(reply.packet.options.vendorClass).toBe("PXEClient");
      expect(collectSubOptions(reply.packet.options.vendorOptions!, 255).has(9)).toBe(false);
    });
  }
  test("ipxe-bios-virtio-discover: known by its user class alone, and by option 175 alone", () => {
    const site = new Site();
    const request = packetOf("ipxe-bios-virtio-discover");
    const { userClass: _, ...noClass } = request.options;
    const { ipxe: __, ...noFeatures } = request.options;
    for (const options of [noClass, noFeatures]) {
      expect(site.factsFor({ ...request, options }, {}).client.kind).toBe("ipxe");
    }
  });
  test("ipxe-efi-arm64-discover: arch 11", () => {
    expect(new Site().factsFor(packetOf("ipxe-efi-arm64-discover"), {}).client).toMatchObject({
      arch: "arm64",
      archCode: 11,
      platform: "uefi",
    });
  });
  test("ipxe-efi-x64-request: ACK from the same server, file and siaddr repeated", () => {
    const site = new Site();
    const request = packetOf("ipxe-efi-x64-request");
    const { serverId: _, ...discover } = request.options;
    const offer = replyOf(site.ask({ ...request, options: { ...discover, messageType: 1 } }));
    const reply = replyOf(site.ask(request));
    expect(reply.packet).toMatchObject({ yourIp: "192.0.2.100", nextServerIp: "192.0.2.1", bootFile: URL });
    expect(reply.packet.options.serverId).toBe(offer.packet.options.serverId);
    expectOthersRequestFreesOffer(bytesOf("ipxe-efi-x64-request"), "192.0.2");
  });
  test("ipxe-second-dhcp-vendorclass-overwritten: bare PXEClient says nothing of the architecture, 93 does", () => {
    const published = decodePacket(bytesOf("ipxe-second-dhcp-vendorclass-overwritten"));
    expect(published.options.vendorClass).toBe("PXEClient");
    const site = new Site();
    const whole = { opt77: "iPXE", opt93: "0007" };
    const bytes = bytesOf("ipxe-second-dhcp-vendorclass-overwritten", whole);
    expect(site.factsFor(decodePacket(bytes), {}).client).toMatchObject({ kind: "ipxe", archCode: 7 });
    for (const mode of ["server", "proxy"] as const) {
      expect(wireCodes(replyOf(site.ask(bytes, { mode })).bytes)).not.toContain(77);
    }
  });
  test("dnsmasq-proxy-menu-offer: its 43 is parsed as 6, 10, 8, 9, and we produce no menu", () => {
    const packet = packetOf("dnsmasq-proxy-menu-offer");
    expect([...collectSubOptions(packet.options.vendorOptions!, 255).keys()]).toEqual([6, 10, 8, 9]);
    const reply = replyOf(new Site().ask(bytesOf("ipxe-bios-virtio-discover"), proxy));
    expect([...collectSubOptions(reply.packet.options.vendorOptions!, 255).keys()]).toEqual([6]);
  });
});

describe("plain clients", () => {
  const DISCOVERS = [
    "grub-discover",
    "linux-ipconfig-dhcp-discover",
    "udhcpc-discover",
    "discover-overload-both",
    "dhclient-centos5-discover",
    "systemd-networkd-discover",
    "windows-xp-discover",
    "mikrotik-discover",
    "user-class-rfc3004-counted",
    "plain-discover-short",
    "discover-hint-foreign-subnet",
    "bad-cookie-4",
    "wireshark-sample-discover-50-zero",
  ];
  for (const name of DISCOVERS) {
    test(`${name} A: an OFFER with 1, 3, 6, 51, 54, 58, 59 from our own pool, within its size; no boot data`, () => {
      const request = packetOf(name);
      const reply = replyOf(new Site().ask(request));
      expect(reply.packet).toMatchObject({ yourIp: "192.0.2.100", bootFile: "", nextServerIp: "0.0.0.0" });
      for (const code of [1, 3, 6, 51, 54, 58, 59]) expect(wireCodes(reply.bytes)).toContain(code);
      for (const code of [43, 60, 66, 67, 80, 97, 175]) expect(wireCodes(reply.bytes)).not.toContain(code);
      const codes = wireCodes(reply.bytes);
      expect(new Set(codes).size).toBe(codes.length);
      expect(reply.bytes.length).toBeLessThanOrEqual(Math.max(request.options.maxMessageBytes ?? 576, 576) - 28);
      expect(wireOption(reply.bytes, 61)).toEqual(request.options.clientId);
    });
    test(`${name} P: silence`, () => {
      expect(reasonOf(new Site().ask(bytesOf(name), proxy))).toContain("booting clients only");
    });
  }
  test("grub-discover: secs and xid from the clock change nothing; a client that asks for nothing gets the default set", () => {
    const request = packetOf("grub-discover");
    expect(request.options.requestedCodes).toBeUndefined();
    const site = new Site("192.0.2", { domain: "lab.example" });
    const first = replyOf(site.ask(request));
    expect(replyOf(site.ask({ ...request, secs: 0 })).bytes).toEqual(first.bytes);
    expect(first.packet.options).toMatchObject({ domain: "lab.example", broadcastIp: "192.0.2.255" });
  });
  test("linux-ipconfig-dhcp-discover: no 61, yet the machine that its PXE ROM was", () => {
    const site = new Site();
    const rom = replyOf(site.ask(bytesOf("edk2-pxe-x64-discover")));
    const kernel = replyOf(site.ask(bytesOf("linux-ipconfig-dhcp-discover")));
    expect(kernel.packet.yourIp).toBe(rom.packet.yourIp);
  });
  test("systemd-networkd-discover: another 61 than the ROM's, the same address; no rapid commit", () => {
    const site = new Site();
    const rom = replyOf(site.ask(bytesOf("edk2-pxe-x64-discover")));
    const os = replyOf(site.ask(bytesOf("systemd-networkd-discover")));
    expect(os.packet.yourIp).toBe(rom.packet.yourIp);
    expect(wireCodes(os.bytes)).not.toContain(80);
  });
  test("discover-overload-both: 56 arrives in three pieces, sname and file are no text", () => {
    const packet = packetOf("discover-overload-both");
    expect(packet.options.message).toBe("Paddingfile name field overloadsname field overload");
    expect([packet.serverName, packet.bootFile]).toEqual(["", ""]);
  });
  test("dhclient-centos5-discover: 50 is only a hint, and what is asked for twice is sent once", () => {
    const site = new Site("192.0.2", { ntp: ["192.0.2.9"], routes: [{ to: "10.0.0.0/8", via: "192.0.2.254" }] });
    const reply = replyOf(site.ask(bytesOf("dhclient-centos5-discover")));
    expect(wireCodes(reply.bytes).filter((code) => [42, 121, 249].includes(code))).toEqual([121, 42, 249]);
    const own = new Site("192.168.200");
    expect(replyOf(own.ask(bytesOf("dhclient-centos5-discover"))).packet.yourIp).toBe("192.168.200.100");
  });
  test("windows-xp-discover: 116 and its 43 are ignored", () => {
    const reply = replyOf(new Site().ask(bytesOf("windows-xp-discover")));
    for (const code of [43, 116]) expect(wireCodes(reply.bytes)).not.toContain(code);
  });
  test("user-class-rfc3004-counted: a counted class without iPXE in it is plain; with it, iPXE", () => {
    const site = new Site();
    const request = packetOf("user-class-rfc3004-counted");
    expect(site.factsFor(request, {}).client.kind).toBe("plain");
    const counted = { ...request, options: { ...request.options, userClass: fromHex("0469505845") } };
    expect(site.factsFor(counted, {}).client.kind).toBe("ipxe");
  });
  test("plain-discover-short: 265 bytes are enough, and the answer has at least 300", () => {
    expect(bytesOf("plain-discover-short")).toHaveLength(265);
    expect(replyOf(new Site().ask(bytesOf("plain-discover-short"))).bytes.length).toBeGreaterThanOrEqual(300);
  });
  test("mikrotik-discover: padding behind END is no option", () => {
    expect(bytesOf("mikrotik-discover")).toHaveLength(300);
    expect(packetOf("mikrotik-discover").options.others?.has(0)).toBeFalsy();
  });
  test("bad-cookie-4: unaffected by the bad packets of the same MAC around it", () => {
    const site = new Site();
    for (const bad of ["bad-cookie-1", "bad-cookie-2"]) expect(() => site.ask(bytesOf(bad))).toThrow("cookie");
    expect(replyOf(site.ask(bytesOf("bad-cookie-4"))).packet.yourIp).toBe("192.0.2.100");
  });
  for (const name of ["bios-hyperv-discover-no-cookie", "bad-cookie-1", "bad-cookie-2"]) {
    test(`${name}: dropped with the offset of what is wrong`, () => {
      expect(() => decodePacket(bytesOf(name))).toThrow(
        expect.objectContaining({ code: "MALFORMED_PACKET", message: expect.stringContaining("byte 236 is 00000000") }),
      );
    });
  }
});

describe("REQUEST in SELECTING", () => {
  const CASES = [
    { name: "linux-ipconfig-dhcp-request", three: "192.0.2", first: 100 },
    { name: "udhcpc-request", three: "10.100.0", first: 50, serverIp: "10.100.0.2" },
    { name: "windows-request-selecting", three: "172.17.2", first: 131, serverIp: "172.17.2.3" },
  ];
  for (const { name, three, first, serverIp = `${three}.1` } of CASES) {
    test(`${name}: ACK for what was offered; to another server silence, and our offer is free`, () => {
      const site = new Site(three, { ranges: [{ first: `${three}.${first}`, last: `${three}.199` }] });
      site.facts = { serverIp, ownIps: [serverIp] };
      const request = packetOf(name);
      const { serverId: _, requestedIp: __, ...discover } = request.options;
      site.ask({ ...request, options: { ...discover, messageType: 1 } });
      const reply = replyOf(site.ask(request));
      expect(reply.packet).toMatchObject({ yourIp: `${three}.${first}` });
      expect(reply.packet.options.messageType).toBe(5);
      expect(reply.leases).toHaveLength(1);
      expect(wireCodes(reply.bytes)).not.toContain(81);
      const other = site.ask({ ...request, options: { ...request.options, serverId: "203.0.113.1" } });
      expect(reasonOf(other)).toContain("another server");
      expect(other.leases).toEqual([]);
    });
  }
});

describe("REQUEST in INIT-REBOOT", () => {
  const initReboot = (name: string, three: string, over: Partial<ReplyFacts> = {}) => {
    const site = new Site(three, { ranges: [{ first: `${three}.2`, last: `${three}.99` }] });
    return { site, decide: () => site.ask(bytesOf(name), over) };
  };
  const CASES = [
    { name: "dhclient-popos-initreboot", three: "192.168.15", address: "192.168.15.250" },
    { name: "windows-on-mac-initreboot", three: "192.168.1", address: "192.168.1.111" },
    { name: "request-initreboot-2", three: "128.2.6", address: "128.2.6.189" },
    { name: "non-pxe-with-option93", three: "192.168.0", address: "192.168.0.33" },
  ];
  for (const { name, three, address } of CASES) {
    test(`${name}: no 54, so INIT-REBOOT: its own lease is acknowledged, a wrong network refused, strangers by pxe.md 1.5`, () => {
      const site = new Site(three, { ranges: [{ first: `${three}.2`, last: `${three}.253` }] });
      const reply = replyOf(site.ask(bytesOf(name)));
      expect(reply.packet).toMatchObject({ yourIp: address, clientIp: "0.0.0.0" });
      expect(reply.packet.options.messageType).toBe(5);
      const wrong = replyOf(new Site("198.51.100").ask(bytesOf(name)));
      expect(wrong.packet.options.messageType).toBe(6);
      expect(wrong.destination).toEqual({ ip: "255.255.255.255", port: 68 });
      reasonOf(new Site("198.51.100").ask(bytesOf(name), { authoritative: false }));
      reasonOf(site.ask(bytesOf(name), proxy));
    });
  }
  test("non-pxe-with-option93: 93 without 60 is no netboot client", () => {
    const { decide } = initReboot("non-pxe-with-option93", "192.168.0");
    for (const code of [43, 60, 66, 67, 97]) expect(wireCodes(replyOf(decide()).bytes)).not.toContain(code);
  });
  test("request-initreboot-2: no option 54 in the packet", () => {
    expect(packetOf("request-initreboot-2").options.serverId).toBeUndefined();
  });

  const relayed = "relayed-request-initreboot";
  const relaySite = () => {
    const remote = subnetAt("192.168.40", {
      isRelayed: true,
      ranges: [{ first: "192.168.40.2", last: "192.168.40.99" }],
    });
    return new Site("192.0.2", {}, [remote]);
  };
  test(`${relayed}: the relay's address chooses the subnet; a known lease is acknowledged to the relay`, () => {
    const site = relaySite();
    const reply = replyOf(site.ask(bytesOf(relayed)));
    expect(reply.packet).toMatchObject({ yourIp: "192.168.40.4", relayIp: "192.168.40.1", hops: 0 });
    expect(reply.destination).toEqual({ ip: "192.168.40.1", port: 67 });
    expect(replyOf(site.ask(bytesOf(relayed))).packet.options.messageType).toBe(5);
    for (const code of [43, 60, 66, 67, 97]) expect(wireCodes(reply.bytes)).not.toContain(code);
  });
  test(`${relayed}: wrong network: NAK to the relay with the broadcast flag`, () => {
    const request = packetOf(relayed);
    const wrong = { ...request, options: { ...request.options, requestedIp: "10.9.9.9" } };
    const reply = replyOf(relaySite().ask(wrong));
    expect(reply.packet.options.messageType).toBe(6);
    expect(reply.packet.flags).toBe(0x8000);
    expect(reply.destination).toEqual({ ip: "192.168.40.1", port: 67 });
  });
  test(`${relayed}: an unknown client of a server without authority: silence`, () => {
    reasonOf(relaySite().ask(bytesOf(relayed), { authoritative: false }));
  });
});

describe("REQUEST in RENEWING", () => {
  const CASES = [
    { name: "udhcpc-renew-unicast", three: "192.0.2", address: "192.0.2.100" },
    { name: "nas-renew-unicast", three: "10.16.1", address: "10.16.1.4" },
    { name: "cisco-ios-renew", three: "192.168.0", address: "192.168.0.3" },
  ];
  for (const { name, three, address } of CASES) {
    const leased = () => {
      const site = new Site(three, { ranges: [{ first: `${three}.2`, last: `${three}.199` }] });
      const request = packetOf(name);
      const discover = { ...request, clientIp: "0.0.0.0", options: { ...request.options, messageType: 1 } };
      site.ask({ ...discover, options: { ...discover.options, requestedIp: address } });
      const selecting = { ...request.options, serverId: site.serverIp, requestedIp: address };
      replyOf(site.ask({ ...request, clientIp: "0.0.0.0", options: selecting }));
      site.now += 1800;
      return site;
    };
    test(`${name}: ACK by unicast to ciaddr:68 with a new lease time`, () => {
      const reply = replyOf(leased().ask(bytesOf(name), { isUnicast: true }));
      expect(reply.destination).toEqual({ ip: address, port: 68 });
      expect(reply.packet).toMatchObject({ clientIp: address, yourIp: address });
      expect(reply.packet.options).toMatchObject({ messageType: 5, leaseSeconds: 3600 });
      expect(reply.leases).toEqual([expect.objectContaining({ expiresAt: NOW + 1800 + 3600 })]);
      expect(reply.events).toEqual([expect.objectContaining({ kind: "dhcp-renewed" })]);
    });
    test(`${name}: unknown: NAK if authoritative, by broadcast and to ciaddr; else silence`, () => {
      const site = new Site(three, { ranges: [{ first: `${three}.2`, last: `${three}.199` }] });
      const reply = replyOf(site.ask(bytesOf(name), { isUnicast: true }));
      expect(reply.packet.options.messageType).toBe(6);
      expect(reply.packet).toMatchObject({ yourIp: "0.0.0.0", clientIp: "0.0.0.0", nextServerIp: "0.0.0.0" });
      expect([reply.destination.ip, reply.copyTo?.ip]).toEqual(["255.255.255.255", address]);
      reasonOf(site.ask(bytesOf(name), { isUnicast: true, authoritative: false }));
    });
  }
  test("nas-renew-unicast: the NUL behind its name is not part of it", () => {
    expect(packetOf("nas-renew-unicast").options.hostname).toBe("nas1");
    const site = new Site("10.16.1", { ranges: [{ first: "10.16.1.4", last: "10.16.1.9" }] });
    const request = packetOf("nas-renew-unicast");
    const options = { ...request.options, requestedIp: "10.16.1.4", serverId: "10.16.1.1" };
    const reply = replyOf(site.ask({ ...request, clientIp: "0.0.0.0", options }));
    expect(reply.leases[0]).toMatchObject({ hostname: "nas1" });
  });
  test("cisco-ios-renew: its 27-byte client id is opaque: kept as it is, and no key", () => {
    const { clientId } = packetOf("cisco-ios-renew").options;
    expect(clientId).toHaveLength(27);
    expect(latin(clientId)).toBe("\0cisco-cc00.0ac4.0000-Fa0/0");
  });
  test("relayed-renew-with-ciaddr: giaddr wins over ciaddr", () => {
    const remote = subnetAt("62.12.173", { isRelayed: true });
    const site = new Site("192.0.2", {}, [remote]);
    const request = packetOf("relayed-renew-with-ciaddr");
    const options = { ...request.options, requestedIp: "62.12.173.123", serverId: "192.0.2.1" };
    replyOf(site.ask({ ...request, clientIp: "0.0.0.0", options }));
    const reply = replyOf(site.ask(request));
    expect(reply.destination).toEqual({ ip: "62.12.173.121", port: 67 });
    expect(reply.packet).toMatchObject({ yourIp: "62.12.173.123", relayIp: "62.12.173.121" });
    for (const code of [145, 161]) expect(wireCodes(reply.bytes)).not.toContain(code);
  });
});

describe("other messages", () => {
  const leased = () => {
    const site = new Site();
    const request = packetOf("udhcpc-renew-unicast");
    const options = { ...request.options, requestedIp: "192.0.2.100", serverId: "192.0.2.1" };
    replyOf(site.ask({ ...request, clientIp: "0.0.0.0", options }));
    return site;
  };
  test("udhcpc-release: frees the lease, keeps its history, and is not answered", () => {
    const site = leased();
    const from = { source: { ip: "192.0.2.100", port: 68 } };
    const strange = packetOf("udhcpc-release");
    reasonOf(site.ask({ ...strange, clientIp: "192.0.2.101" }, from));
    reasonOf(site.ask({ ...strange, options: { ...strange.options, serverId: "192.0.2.9" } }, from));
    expect(site.book.held(site.cidr, "52:54:00:12:34:56")?.lease.state).toBe("bound");
    const decision = site.ask(bytesOf("udhcpc-release"), from);
    expect(decision).toMatchObject({ kind: "ignore", leases: [{ state: "released", address: "192.0.2.100" }] });
    expect(decision.events).toEqual([expect.objectContaining({ kind: "dhcp-released" })]);
    expect(replyOf(site.ask(bytesOf("edk2-pxe-x64-discover"))).packet.yourIp).toBe("192.0.2.100");
  });
  test("udhcpc-decline: the address is set aside for its time, and is not answered", () => {
    const site = leased();
    const decision = site.ask(bytesOf("udhcpc-decline"));
    expect(decision).toMatchObject({ kind: "ignore", leases: [{ state: "declined", expiresAt: NOW + 600 }] });
    expect(decision.events).toEqual([expect.objectContaining({ kind: "dhcp-declined" })]);
    expect(replyOf(site.ask(bytesOf("udhcpc-discover"))).packet.yourIp).toBe("192.0.2.101");
    site.now += 601;
    const small = { ...packetOf("bad-cookie-4"), options: { messageType: 1, requestedIp: "192.0.2.100" } };
    expect(replyOf(site.ask(small)).packet.yourIp).toBe("192.0.2.100");
  });
  test("release-without-54: from nobody, for nothing: ignored", () => {
    expect(site0().ask(bytesOf("release-without-54"))).toMatchObject({ kind: "ignore", changes: [], leases: [] });
  });
  test("inform-broken: no usable return address: no answer and no lease", () => {
    const site = site0();
    expect(site.ask(bytesOf("inform-broken"))).toMatchObject({ kind: "ignore", changes: [], leases: [] });
    expect([...site.book.leases()]).toEqual([]);
  });
  test("inform-spoofed-source: the reply goes to ciaddr, wherever the packet came from", () => {
    const site = new Site("128.2.6");
    const reply = replyOf(site.ask(bytesOf("inform-spoofed-source"), { source: { ip: "128.2.5.243", port: 68 } }));
    expect(reply.destination).toEqual({ ip: "128.2.6.122", port: 68 });
    expect(reply.packet).toMatchObject({ yourIp: "0.0.0.0", clientIp: "128.2.6.122" });
    for (const code of [51, 58, 59]) expect(wireCodes(reply.bytes)).not.toContain(code);
    expect(reply.leases).toEqual([]);
  });
  test("leasequery-ignored: dropped without error and without a lease", () => {
    const site = new Site("192.0.2", {}, [subnetAt("10.30.1", { isRelayed: true })]);
    expect(reasonOf(site.ask(bytesOf("leasequery-ignored")))).toContain("message type 10");
    expect([...site.book.leases()]).toEqual([]);
  });
  test("dnsmasq-offer-next-to-proxy: parsed only", () => {
    expect(packetOf("dnsmasq-offer-next-to-proxy").options).toMatchObject({
      messageType: 2,
      serverId: "192.168.16.1",
      leaseSeconds: 3600,
      renewalSeconds: 1800,
      rebindingSeconds: 3150,
      subnetMask: "255.255.255.0",
      broadcastIp: "192.168.16.255",
      routers: ["192.168.16.1"],
      hostname: "core01",
    });
  });
  test("reference-nak: our NAK has the same layout: 53, 54, 56", () => {
    const reference = packetOf("reference-nak");
    expect(wireCodes(bytesOf("reference-nak"))).toEqual([53, 54, 56, 255]);
    const nak = replyOf(site0().ask(bytesOf("request-initreboot-2")));
    expect(wireCodes(nak.bytes)).toEqual([53, 54, 56, 255]);
    expect(nak.packet).toMatchObject({ yourIp: "0.0.0.0", clientIp: "0.0.0.0", nextServerIp: "0.0.0.0" });
    expect(toHex(encodePacket(reference).subarray(240, 280))).toBe(toHex(bytesOf("reference-nak").subarray(240, 280)));
  });
  test("machines by name: a reserved host's name is the one it is told", () => {
    const machine = machineWith({ name: "node7", address: "192.0.2.50" });
    const site = site0();
    site.book.setMachine(machine);
    const reply = replyOf(site.ask(bytesOf("grub-discover"), { machine }));
    expect(reply.packet).toMatchObject({ yourIp: "192.0.2.50" });
    expect(reply.packet.options.hostname).toBe("node7");
  });
});

const site0 = () => new Site();

test("every DHCP and PXE vector has a test of its own", () => {
  expect(DHCP_VECTORS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
  expect(DHCP_VECTORS).toHaveLength(64);
});
