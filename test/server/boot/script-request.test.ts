import { expect, test } from "vitest";
import { identityOf, requestOf } from "../../../server/boot/script-request.ts";

const MAC = "52:54:00:12:34:56";
const REQUESTS = [
  {
    name: "iPXE's words",
    query: { arch: "arm64", platform: "efi", chip: "snponly" },
    want: ["arm64", "efi", "snponly"],
  },
  { name: "nothing", query: {}, want: ["x86_64", "pcbios", undefined] },
  {
    name: "an escape sequence",
    query: { arch: "\u001b[31m", platform: "a b", chip: "\n" },
    want: ["unknown", "unknown", "unknown"],
  },
  { name: "a long word", query: { arch: "a".repeat(33) }, want: ["unknown", "pcbios", undefined] },
];
for (const { name, query, want } of REQUESTS) {
  test(`requestOf takes ${name}`, () => {
    const { mac, arch, platform, chip } = requestOf(MAC, query);
    expect([mac, arch, platform, chip]).toEqual([MAC, ...want]);
  });
}

const IDENTITIES = [
  { name: "both", query: { uuid: "564D0B2E", serial: " ABC-1 " }, want: { uuid: "564d0b2e", serial: "ABC-1" } },
  { name: "neither", query: { uuid: "", serial: "  " }, want: {} },
  { name: "a serial that steers terminals", query: { serial: "\u001b]0;x\u0007\u202ey" }, want: { serial: "]0;x  y" } },
  { name: "a long serial", query: { serial: "s".repeat(99) }, want: { serial: "s".repeat(64) } },
];
for (const { name, query, want } of IDENTITIES) {
  test(`identityOf takes ${name}`, () => expect(identityOf(query)).toEqual(want));
}
