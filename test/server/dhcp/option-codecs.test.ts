import { expect, test } from "vitest";
import * as c from "../../../server/dhcp/option-codecs.ts";
import { fromHex, toHex } from "./vectors.ts";

const BOTH_WAYS: { name: string; codec: c.Codec<never>; value: unknown; hex: string }[] = [
  { name: "uint8", codec: c.uint8 as never, value: 5, hex: "05" },
  { name: "uint16", codec: c.uint16 as never, value: 0xfffe, hex: "fffe" },
  { name: "uint32", codec: c.uint32 as never, value: 0xffffffff, hex: "ffffffff" },
  { name: "uint16List", codec: c.uint16List as never, value: [7, 9], hex: "00070009" },
  { name: "codeList", codec: c.codeList as never, value: [1, 3, 42, 42], hex: "01032a2a" },
  { name: "ipv4", codec: c.ipv4 as never, value: "192.0.2.1", hex: "c0000201" },
  { name: "ipv4List", codec: c.ipv4List as never, value: ["10.0.0.1", "10.0.0.2"], hex: "0a0000010a000002" },
  { name: "raw", codec: c.raw as never, value: fromHex("00ff"), hex: "00ff" },
  { name: "text", codec: c.text as never, value: "n\u00e4s", hex: "6ee473" },
  { name: "textWithNul", codec: c.textWithNul as never, value: "a.efi", hex: "612e65666900" },
  {
    name: "routes: default",
    codec: c.routes as never,
    value: [{ to: "0.0.0.0/0", via: "10.0.0.1" }],
    hex: "000a000001",
  },
  {
    name: "routes: only significant octets",
    codec: c.routes as never,
    value: [
      { to: "10.17.0.0/16", via: "10.0.0.1" },
      { to: "10.27.129.128/25", via: "10.0.0.2" },
    ],
    hex: "100a110a000001190a1b81800a000002",
  },
  {
    name: "domainList",
    codec: c.domainList as never,
    value: ["eng.apple.com", "a.b"],
    hex: "03656e67056170706c6503636f6d000161016200",
  },
];
for (const { name, codec, value, hex } of BOTH_WAYS) {
  test(`${name} is written and read`, () => {
    expect(toHex(codec.encode(value as never))).toBe(hex);
    expect(codec.decode(fromHex(hex))).toEqual(value);
  });
}

const NO_VALUE: { name: string; codec: c.Codec<never>; hex: string }[] = [
  { name: "uint8 of two bytes", codec: c.uint8 as never, hex: "0102" },
  { name: "ipv4 of three", codec: c.ipv4 as never, hex: "c00002" },
  { name: "an empty list", codec: c.ipv4List as never, hex: "" },
  { name: "a list with half an item", codec: c.ipv4List as never, hex: "c000020101" },
  { name: "an odd architecture list", codec: c.uint16List as never, hex: "000700" },
  { name: "text of nothing", codec: c.text as never, hex: "" },
  { name: "text of NULs", codec: c.text as never, hex: "0000" },
  { name: "a prefix over 32", codec: c.routes as never, hex: "210a0000000a000001" },
  { name: "a route cut short", codec: c.routes as never, hex: "180a00000a0000" },
  { name: "no routes", codec: c.routes as never, hex: "" },
  { name: "no domains", codec: c.domainList as never, hex: "" },
  { name: "an empty domain", codec: c.domainList as never, hex: "00" },
  { name: "a domain without end", codec: c.domainList as never, hex: "0161" },
  { name: "a label past the end", codec: c.domainList as never, hex: "0561" },
  { name: "a label of 64", codec: c.domainList as never, hex: `40${"61".repeat(64)}00` },
  { name: "a pointer to itself", codec: c.domainList as never, hex: "c000" },
  { name: "a pointer cut in half", codec: c.domainList as never, hex: "016100c0" },
  { name: "a pointer forwards", codec: c.domainList as never, hex: "0161c00401620000" },
  { name: "a name of 128 labels", codec: c.domainList as never, hex: `${"0161".repeat(128)}00` },
];
for (const { name, codec, hex } of NO_VALUE) {
  test(`${name} is no value, and no fault`, () => expect(codec.decode(fromHex(hex))).toBeUndefined());
}

test("domainList reads compressed names (RFC 3397's example)", () => {
  const hex = "03656e67056170706c6503636f6d00 096d61726b6574696e67 c004";
  expect(c.domainList.decode(fromHex(hex))).toEqual(["eng.apple.com", "marketing.apple.com"]);
});
test("domainList ends on a pointer whose target leads on through 128 labels", () => {
  expect(c.domainList.decode(fromHex(`${"0161".repeat(120)}00${"0162".repeat(20)}c000`))).toBeUndefined();
});

const REFUSED: { name: string; encode: () => unknown; says: string }[] = [
  { name: "text outside Latin-1", encode: () => c.text.encode("h\u014dst"), says: "not in Latin-1" },
  {
    name: "a route to no network",
    encode: () => c.routes.encode([{ to: "10.0.0.0", via: "10.0.0.1" }]),
    says: "10.0.0.0",
  },
  { name: "a domain with an empty label", encode: () => c.domainList.encode(["a..b"]), says: "a..b" },
  { name: "a label of 64", encode: () => c.domainList.encode(["a".repeat(64)]), says: "over 63" },
];
for (const { name, encode, says } of REFUSED) {
  test(`${name} is refused, never cut`, () => {
    expect(encode).toThrow(expect.objectContaining({ code: "DOES_NOT_FIT", message: expect.stringContaining(says) }));
  });
}
