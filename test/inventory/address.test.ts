// MACs and IPv4 addresses: every spelling that people and machines use, and those that mean something else.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatMac,
  ipv4ToNumber,
  isInNetwork,
  numberToIpv4,
  parseCidr,
  parseIpv4,
  parseMac,
} from "../../inventory/address.ts";

describe("parseMac", () => {
  const SPELLINGS = ["52:54:00:12:ab:56", "52-54-00-12-AB-56", "5254.0012.ab56", "52540012AB56"];
  for (const text of SPELLINGS) test(`reads ${text}`, () => expect(parseMac(text)).toBe("52:54:00:12:ab:56"));
  const NONE = [
    { name: "five bytes", text: "52:54:00:12:ab" },
    { name: "seven bytes", text: "52:54:00:12:ab:56:01" },
    { name: "no hex", text: "52:54:00:12:ab:5g" },
    { name: "all zeros", text: "00:00:00:00:00:00" },
    { name: "multicast", text: "01:00:5e:00:00:01" },
    { name: "broadcast", text: "ff:ff:ff:ff:ff:ff" },
    { name: "a line after it", text: "52:54:00:12:ab:56\n" },
    { name: "nothing", text: "" },
  ];
  for (const { name, text } of NONE) test(`refuses ${name}`, () => expect(parseMac(text)).toBeUndefined());
  test("takes back what formatMac wrote, for every unicast MAC", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 16 }), (bytes) => {
        fc.pre((bytes[0]! & 1) === 0 && bytes.subarray(0, 6).some((b) => b !== 0));
        expect(parseMac(formatMac(bytes))).toBe(formatMac(bytes));
      }),
    );
  });
});

describe("parseIpv4", () => {
  for (const text of ["0.0.0.0", "192.0.2.1", "255.255.255.255"]) {
    test(`reads ${text}`, () => expect(parseIpv4(text)).toBe(text));
  }
  for (const text of [
    "192.0.2",
    "192.0.2.1.1",
    "192.0.2.256",
    "192.0.2.01",
    "010.0.0.1",
    "192.0.2.-1",
    "1e2.0.0.1",
    "",
    "a.b.c.d",
  ]) {
    test(`refuses "${text}"`, () => expect(parseIpv4(text)).toBeUndefined());
  }
  test("goes to a number and back for every address", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (n) => {
        expect(ipv4ToNumber(parseIpv4(numberToIpv4(n))!)).toBe(n);
      }),
    );
  });
});

describe("parseCidr", () => {
  test("clears host bits and names both ends", () => {
    expect(parseCidr("192.0.2.17/24")).toEqual({
      cidr: "192.0.2.0/24",
      first: ipv4ToNumber("192.0.2.0"),
      last: ipv4ToNumber("192.0.2.255"),
      prefix: 24,
      netmask: "255.255.255.0",
      broadcast: "192.0.2.255",
    });
  });
  const EDGES = [
    { text: "10.1.2.3/32", cidr: "10.1.2.3/32", netmask: "255.255.255.255", broadcast: "10.1.2.3" },
    { text: "10.1.2.3/0", cidr: "0.0.0.0/0", netmask: "0.0.0.0", broadcast: "255.255.255.255" },
    { text: "10.1.2.3/31", cidr: "10.1.2.2/31", netmask: "255.255.255.254", broadcast: "10.1.2.3" },
  ];
  for (const { text, ...want } of EDGES) test(`reads ${text}`, () => expect(parseCidr(text)).toMatchObject(want));
  for (const text of [
    "192.0.2.0",
    "192.0.2.0/33",
    "192.0.2.0/",
    "192.0.2.0/24/1",
    "192.0.2/24",
    "192.0.2.0/-1",
    "192.0.2.0/ 8",
  ]) {
    test(`refuses "${text}"`, () => expect(parseCidr(text)).toBeUndefined());
  }
  test("isInNetwork counts both ends in, and their neighbours out", () => {
    const network = parseCidr("192.0.2.0/24")!;
    const inside = ["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"].map((ip) => isInNetwork(ip, network));
    expect(inside).toEqual([false, true, true, false]);
  });
});
