// npm's `dhcp` as an independent peer: what Slipway encodes it must read the same way, and what it writes Slipway must read,
// for the option types that it has right (its Server cannot serve PXE clients; README says why).
import { createRequire } from "node:module";
import { describe, expect, test, vi } from "vitest";
import type { DhcpOptions } from "../../../server/dhcp/options.ts";
import { OPTIONS } from "../../../server/dhcp/options.ts";
import { type DhcpPacket, decodePacket, encodePacket } from "../../../server/dhcp/packet.ts";
import { randomFrom } from "./fuzz-dhcp.ts";
import { replyOf, Site } from "./site.ts";
import { DHCP_VECTORS, vectorBytes } from "./vectors.ts";

type Peer = Record<string, unknown> & { options: Record<number, unknown> };
const require = createRequire(import.meta.url);
const protocol = require("dhcp/lib/protocol.js") as {
  parse(bytes: Buffer): Peer;
  format(packet: object): { _data: Buffer; _w: number };
};
const { opts: peerOptions } = require("dhcp/lib/options.js") as {
  opts: Record<number, { name: string; type: string }>;
};

/** Codes whose types the peer has right; its text lacks our inner NUL. */
const SAME: readonly (keyof DhcpOptions)[] = [
  "subnetMask",
  "routers",
  "dnsServers",
  "hostname",
  "domain",
  "broadcastIp",
  "ntpServers",
  "vendorOptions",
  "leaseSeconds",
  "messageType",
  "serverId",
  "renewalSeconds",
  "rebindingSeconds",
  "vendorClass",
  "tftpServerName",
  "bootFileName",
];
const plain = (value: unknown): unknown => (value instanceof Uint8Array ? [...value] : value);

/** The peer's reading; its complaints about options it does not know are not ours. */
function peerReads(bytes: Uint8Array): Peer {
  const muted = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    return protocol.parse(Buffer.from(bytes));
  } finally {
    muted.mockRestore();
  }
}

function expectSame(packet: DhcpPacket, peer: Peer): void {
  expect(peer).toMatchObject({
    op: packet.op,
    xid: packet.xid,
    secs: packet.secs,
    flags: packet.flags,
    ciaddr: packet.clientIp,
    yiaddr: packet.yourIp,
    siaddr: packet.nextServerIp,
    giaddr: packet.relayIp,
    file: packet.bootFile,
  });
  for (const name of SAME) {
    const code = OPTIONS[name as keyof typeof OPTIONS].code;
    const read = peer.options[code];
    const text = typeof read === "string" ? read.replace(/\0+$/, "") : read;
    expect({ [name]: text }).toEqual({ [name]: plain(packet.options[name]) });
  }
}

describe("what Slipway encodes", () => {
  const DISCOVERS = DHCP_VECTORS.filter(({ kind }) => kind === "dhcp-discover").map(({ name }) => name);
  test.each(DISCOVERS)("the OFFER to %s reads the same", (name) => {
    const subnet = { ntp: ["192.0.2.9"], domain: "lab.example" };
    const reply = replyOf(new Site("192.0.2", subnet).ask(vectorBytes(name)));
    expectSame(decodePacket(reply.bytes), peerReads(reply.bytes));
  });
  test("the NAK to request-initreboot-2 reads the same", () => {
    const reply = replyOf(new Site().ask(vectorBytes("request-initreboot-2")));
    expectSame(decodePacket(reply.bytes), peerReads(reply.bytes));
    expect(peerReads(reply.bytes).options[56]).toBe(reply.packet.options.message);
  });
  test("500 random packets read the same", () => {
    const seed = Number(process.env.FUZZ_SEED ?? 11);
    console.info(`differential seed ${seed}`);
    const random = randomFrom(seed);
    for (let i = 0; i < 500; i++) {
      const packet = randomPacket(random);
      expectSame(packet, peerReads(encodePacket(packet)));
    }
  });
});

describe("what the peer formats", () => {
  test("500 random packets decode to the same values", () => {
    const seed = Number(process.env.FUZZ_SEED ?? 12);
    console.info(`differential seed ${seed}`);
    const random = randomFrom(seed);
    for (let i = 0; i < 500; i++) {
      const packet = randomPacket(random);
      const formatted = peerFormats(packet);
      expect(decodePacket(formatted)).toEqual({ ...packet, serverName: "" });
    }
  });
});

function peerFormats(packet: DhcpPacket): Uint8Array {
  const options: Record<number, unknown> = {};
  for (const name of SAME) {
    const value = packet.options[name];
    if (value !== undefined) options[OPTIONS[name as keyof typeof OPTIONS].code] = plain(value);
  }
  const buffer = protocol.format({
    op: packet.op,
    htype: 1,
    hlen: 6,
    hops: packet.hops,
    xid: packet.xid,
    secs: packet.secs,
    flags: packet.flags,
    ciaddr: packet.clientIp,
    yiaddr: packet.yourIp,
    siaddr: packet.nextServerIp,
    giaddr: packet.relayIp,
    chaddr: [...packet.hardwareAddress.subarray(0, 6)]
      .map((b) => b.toString(16).padStart(2, "0"))
      .join("-")
      .toUpperCase(),
    sname: "",
    file: packet.bootFile,
    options,
  });
  return Uint8Array.from(buffer._data.subarray(0, buffer._w));
}

function randomPacket(random: (below: number) => number): DhcpPacket {
  const ip = () => `${1 + random(223)}.${random(256)}.${random(256)}.${random(256)}`;
  const ips = () => Array.from({ length: 2 + random(3) }, ip);
  const text = () => Array.from({ length: 1 + random(20) }, () => String.fromCharCode(97 + random(26))).join("");
  const all: Required<Pick<DhcpOptions, (typeof SAME)[number]>> & DhcpOptions = {
    messageType: 1 + random(8),
    serverId: ip(),
    leaseSeconds: random(2 ** 32),
    renewalSeconds: random(2 ** 31),
    rebindingSeconds: random(2 ** 31),
    subnetMask: "255.255.255.0",
    broadcastIp: ip(),
    routers: ips(),
    dnsServers: ips(),
    hostname: text(),
    domain: text(),
    ntpServers: ips(),
    vendorClass: text(),
    vendorOptions: Uint8Array.from({ length: 1 + random(30) }, () => random(256)),
    tftpServerName: text(),
    bootFileName: text(),
  } as never;
  const options = Object.fromEntries(Object.entries(all).filter(([name]) => name === "messageType" || random(3) > 0));
  const hardwareAddress = new Uint8Array(16);
  hardwareAddress.set(Array.from({ length: 6 }, () => random(256)));
  return {
    op: random(2) === 0 ? 1 : 2,
    hardwareType: 1,
    hardwareLength: 6,
    hops: random(16),
    xid: random(2 ** 32),
    secs: random(65536),
    flags: random(2) * 0x8000,
    clientIp: ip(),
    yourIp: ip(),
    nextServerIp: ip(),
    relayIp: ip(),
    hardwareAddress,
    serverName: "",
    bootFile: text(),
    options: options as DhcpOptions,
  };
}

test("every option that both tables know has a type of the same size there", () => {
  const SIZE: Record<string, number | undefined> = { UInt8: 1, UInt16: 2, UInt32: 4, IP: 4 };
  // 61 and 77 ff. are text or unknown there (dependencies.md 1.1); lists and texts have no fixed size in either.
  for (const { code, codec } of Object.values(OPTIONS)) {
    const peer = peerOptions[code];
    const fixed = (codec as { fixedBytes?: number }).fixedBytes;
    if (peer !== undefined && fixed !== undefined) expect([code, SIZE[peer.type]]).toEqual([code, fixed]);
  }
  expect(peerOptions[51]?.name).toContain("Lease");
});
