// Classification beyond what the vectors show: the order of pxe.md 2.1, and its traps.
import { describe, expect, test } from "vitest";
import type { BootClient } from "../../../server/boot/client.ts";
import { ARCHITECTURES, architectureOf } from "../../../server/dhcp/architectures.ts";
import { clientKey, clientMac, describeClient, identifyClient } from "../../../server/dhcp/client.ts";
import type { DhcpOptions } from "../../../server/dhcp/options.ts";
import { type DhcpPacket, decodePacket } from "../../../server/dhcp/packet.ts";
import { fromHex, vectorBytes } from "./vectors.ts";

const plain = decodePacket(vectorBytes("grub-discover"));
const withOptions = (options: DhcpOptions, over: Partial<DhcpPacket> = {}): DhcpPacket => ({
  ...plain,
  ...over,
  options: { messageType: 1, ...options },
});
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));
const PI = "PXEClient:Arch:00000:UNDI:002001";
const HTTP_AND_BZIMAGE = fromHex("130101 180101");
const piMac = { hardwareAddress: fromHex(`dca632010203${"00".repeat(10)}`) };
const uuid97 = (hex: string) => fromHex(`00${hex}`);

const CASES: { name: string; packet: DhcpPacket; remembered?: BootClient; want: Partial<BootClient> }[] = [
  {
    name: "HTTPClient with option 93",
    packet: withOptions({ vendorClass: "HTTPClient:Arch:00016:UNDI:003016", clientArch: [19] }),
    want: { kind: "http", platform: "uefi", arch: "arm64", archCode: 19 },
  },
  {
    name: "HTTPClient without 93: the digits of option 60 count",
    packet: withOptions({ vendorClass: "HTTPClient:Arch:00019:UNDI:003001" }),
    want: { kind: "http", arch: "arm64", archCode: 19 },
  },
  {
    name: "HTTPClient with neither",
    packet: withOptions({ vendorClass: "HTTPClient" }),
    want: { kind: "http", platform: "bios" },
  },
  {
    name: "iPXE that repeats the HTTPClient of the firmware before it is iPXE, not HTTP Boot",
    packet: withOptions({ vendorClass: "HTTPClient", userClass: bytes("iPXE"), clientArch: [7] }),
    want: { kind: "ipxe", arch: "x86_64" },
  },
  {
    name: "iPXE without option 175: nothing is known of HTTP",
    packet: withOptions({ userClass: bytes("iPXE"), clientArch: [7] }),
    want: { kind: "ipxe", platform: "uefi" },
  },
  {
    name: "a counted user class among others",
    packet: withOptions({ userClass: fromHex("03616263 0469505845") }),
    want: { kind: "ipxe" },
  },
  {
    name: "FlexBoot: 175 without a user class, and without HTTP",
    packet: withOptions({ ipxe: fromHex("b105018086100e 150101"), clientArch: [0] }),
    want: { kind: "ipxe", platform: "bios", hasHttp: false },
  },
  {
    name: "gPXE without 175",
    packet: withOptions({ userClass: bytes("gPXE"), clientArch: [0] }),
    want: { kind: "ipxe", hasHttp: false },
  },
  {
    name: "BIOS iPXE with HTTP that cannot start a kernel",
    packet: withOptions({ ipxe: fromHex("130101"), clientArch: [0] }),
    want: { kind: "ipxe", hasHttp: false },
  },
  {
    name: "BIOS iPXE with both",
    packet: withOptions({ ipxe: HTTP_AND_BZIMAGE, clientArch: [0] }),
    want: { kind: "ipxe", hasHttp: true },
  },
  {
    name: "UEFI iPXE has no bzImage feature and needs none",
    packet: withOptions({ ipxe: fromHex("130101"), clientArch: [7] }),
    want: { kind: "ipxe", hasHttp: true },
  },
  {
    name: "U-Boot by its vendor class alone",
    packet: withOptions({ vendorClass: "U-Boot.armv8" }),
    want: { kind: "uboot", platform: "uboot", arch: "arm64" },
  },
  {
    name: "U-Boot that was built without its architecture",
    packet: withOptions({ vendorClass: "U-Boot.armv8", clientArch: [0xffff] }),
    want: { kind: "uboot", arch: "arm64", archCode: 0xffff },
  },
  {
    name: "another U-Boot without its architecture",
    packet: withOptions({ vendorClass: "U-Boot", clientArch: [0xffff] }),
    want: { kind: "uboot", arch: "other" },
  },
  {
    name: "U-Boot by architecture alone, on 32 bits",
    packet: withOptions({ clientArch: [21] }),
    want: { kind: "uboot", arch: "arm32", archCode: 21 },
  },
  {
    name: "a Pi 5 by its magic",
    packet: withOptions({ vendorClass: PI, clientArch: [0], clientUuid: uuid97(`52506935${"01".repeat(12)}`) }),
    want: { kind: "raspberry-pi", platform: "raspberry-pi", arch: "arm64", model: "RPi5" },
  },
  {
    name: "a Pi 4 with its magic in the other byte order",
    packet: withOptions({ vendorClass: PI, clientUuid: uuid97(`34695052${"01".repeat(12)}`) }),
    want: { kind: "raspberry-pi", model: "RPi4" },
  },
  {
    name: "a Pi by its MAC and vendor class, option 93 absent",
    packet: withOptions({ vendorClass: PI }, piMac),
    want: { kind: "raspberry-pi" },
  },
  {
    name: "a Pi with a new MAC prefix by its repeated serial",
    packet: withOptions({ vendorClass: PI, clientArch: [0], clientUuid: uuid97("4372ee6a".repeat(4)) }),
    want: { kind: "raspberry-pi" },
  },
  {
    name: "an x86 BIOS whose UUID is one byte sixteen times",
    packet: withOptions({ vendorClass: PI, clientArch: [0], clientUuid: uuid97("44".repeat(16)) }),
    want: { kind: "pxe", platform: "bios" },
  },
  {
    name: "an x86 BIOS without option 97",
    packet: withOptions({ vendorClass: PI, clientArch: [0] }),
    want: { kind: "pxe", platform: "bios", arch: "i386" },
  },
  {
    name: "an option 97 of a wrong length is no Pi's magic",
    packet: withOptions({ vendorClass: PI, clientArch: [0], clientUuid: fromHex("0052506934") }),
    want: { kind: "pxe" },
  },
  {
    name: "UEFI on a Pi's MAC",
    packet: withOptions({ vendorClass: "PXEClient:Arch:00011:UNDI:003000", clientArch: [11] }, piMac),
    want: { kind: "pxe", platform: "uefi", arch: "arm64" },
  },
  {
    name: "an OS on a Pi's MAC, without option 60",
    packet: withOptions({}, piMac),
    want: { kind: "plain" },
  },
  {
    name: "a REQUEST that says nothing, from a Pi with a pending offer",
    packet: withOptions({ messageType: 3 }, piMac),
    remembered: { kind: "raspberry-pi", platform: "raspberry-pi", arch: "arm64", model: "RPi4" },
    want: { kind: "raspberry-pi", model: "RPi4" },
  },
  {
    name: "the same, when the model was not known",
    packet: withOptions({ messageType: 3 }, piMac),
    remembered: { kind: "raspberry-pi", platform: "raspberry-pi", arch: "arm64" },
    want: { kind: "raspberry-pi" },
  },
  {
    name: "a REQUEST that says something else than the Pi before it",
    packet: withOptions({ messageType: 3, vendorClass: "udhcp 1.36" }, piMac),
    remembered: { kind: "raspberry-pi", platform: "raspberry-pi", arch: "arm64" },
    want: { kind: "plain" },
  },
  {
    name: "a remembered client of another kind changes nothing",
    packet: withOptions({ messageType: 3 }),
    remembered: { kind: "pxe", platform: "bios", arch: "i386" },
    want: { kind: "plain" },
  },
  {
    name: "several architectures: the first counts",
    packet: withOptions({ vendorClass: "PXEClient", clientArch: [9, 7] }),
    want: { kind: "pxe", arch: "x86_64", archCode: 9 },
  },
  {
    name: "the text of option 60 says nothing of the architecture",
    packet: withOptions({ vendorClass: "PXEClient:Arch:00007:UNDI:003000", clientArch: [11] }),
    want: { kind: "pxe", arch: "arm64" },
  },
  {
    name: "PXE without option 93 is BIOS",
    packet: withOptions({ vendorClass: "PXEClient" }),
    want: { kind: "pxe", platform: "bios" },
  },
  {
    name: "an architecture without any loader",
    packet: withOptions({ vendorClass: "PXEClient", clientArch: [2] }),
    want: { kind: "pxe", platform: "other", arch: "other", archCode: 2 },
  },
  { name: "Apple's BSDP", packet: withOptions({ vendorClass: "AAPLBSDPC/i386" }), want: { kind: "apple" } },
  { name: "nothing at all", packet: withOptions({}), want: { kind: "plain", platform: "other", arch: "other" } },
];
for (const { name, packet, remembered, want } of CASES) {
  test(`identifyClient: ${name}`, () => {
    expect(identifyClient(packet, remembered)).toMatchObject(want);
  });
}

describe("identity by option 97", () => {
  const uuidOf = (clientUuid: Uint8Array) => identifyClient(withOptions({ clientUuid })).uuid;
  const WANT = [
    { name: "a UUID", hex: "564d0b2e3c1f11eeb9620242ac120002", want: "564d0b2e3c1f11eeb9620242ac120002" },
    { name: "all zero", hex: "00".repeat(16), want: undefined },
    { name: "all ff", hex: "ff".repeat(16), want: undefined },
    { name: "00020003-0004-…", hex: "00020003000400050006000700080009", want: undefined },
    { name: "03000200-0400-…", hex: "03000200040005000006000700080009", want: undefined },
  ];
  for (const { name, hex, want } of WANT) {
    test(`${name} is ${want === undefined ? "no " : ""}identity`, () => expect(uuidOf(uuid97(hex))).toBe(want));
  }
  test("another type byte, or another length, is none", () => {
    expect(uuidOf(fromHex(`01${"12".repeat(8)}${"34".repeat(8)}`))).toBeUndefined();
    expect(uuidOf(fromHex("00"))).toBeUndefined();
  });
});

describe("clientKey", () => {
  const KEYS = [
    {
      name: "Ethernet: the MAC, whatever option 61 says",
      over: {},
      options: { clientId: fromHex("ff01") },
      want: "52:54:00:12:34:56",
    },
    {
      name: "a 16-byte GUID in chaddr (EDK2 on port 4011)",
      over: { hardwareLength: 16, hardwareAddress: fromHex("000102030405060708090a0b0c0d0e0f") },
      options: {},
      want: "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f",
    },
    {
      name: "InfiniBand: no hardware address, so option 61",
      over: { hardwareType: 32, hardwareLength: 0 },
      options: { clientId: fromHex("ff00aabb") },
      want: "id-ff00aabb",
    },
    {
      name: "an address of zeros is none",
      over: { hardwareAddress: new Uint8Array(16) },
      options: { clientId: fromHex("0102") },
      want: "id-0102",
    },
    {
      name: "an option 61 of one byte is none",
      over: { hardwareLength: 0 },
      options: { clientId: fromHex("01") },
      want: undefined,
    },
    { name: "nothing at all", over: { hardwareLength: 0 }, options: {}, want: undefined },
  ];
  for (const { name, over, options, want } of KEYS) {
    test(name, () => expect(clientKey(withOptions(options, over))).toBe(want));
  }
  test("clientMac is for Ethernet only", () => {
    expect(clientMac(plain)).toBe("52:54:00:12:34:56");
    expect(clientMac({ ...plain, hardwareType: 6 })).toBeUndefined();
    expect(clientMac({ ...plain, hardwareLength: 16 })).toBeUndefined();
  });
});

test("ARCHITECTURES: 7 and 9 are both x86_64, an unknown code is other", () => {
  expect(ARCHITECTURES[7]).toEqual(ARCHITECTURES[9]);
  expect(architectureOf(0xffff)).toEqual({ platform: "other", arch: "other" });
  expect(architectureOf(undefined)).toEqual({ platform: "bios", arch: "i386" });
});

test("describeClient says kind, firmware and architecture, or the Pi's model", () => {
  const words = (options: DhcpOptions, over = {}) => describeClient(identifyClient(withOptions(options, over)));
  expect(words({ vendorClass: "PXEClient", clientArch: [7] })).toBe("PXE, uefi x86_64");
  expect(words({ vendorClass: PI, clientUuid: uuid97(`52506934${"01".repeat(12)}`) })).toBe("Raspberry Pi, RPi4");
  expect(words({ vendorClass: PI }, piMac)).toBe("Raspberry Pi");
  expect(words({})).toBe("plain DHCP");
});
