import { expect, test } from "vitest";
import type { DhcpOptions } from "../../../server/dhcp/options.ts";
import { type DhcpPacket, decodePacket } from "../../../server/dhcp/packet.ts";
import { requestState } from "../../../server/dhcp/request-state.ts";
import { vectorBytes } from "./vectors.ts";

const base = decodePacket(vectorBytes("grub-discover"));
const A = "10.0.0.5";
const S = "10.0.0.1";
const CASES: { name: string; options: DhcpOptions; over?: Partial<DhcpPacket>; unicast?: boolean; want: object }[] = [
  { name: "54 and 50", options: { serverId: S, requestedIp: A }, want: { kind: "selecting", address: A, serverId: S } },
  {
    name: "54 and ciaddr only",
    options: { serverId: S },
    over: { clientIp: A },
    want: { kind: "selecting", address: A },
  },
  { name: "54 alone", options: { serverId: S }, want: { kind: "unclear", serverId: S } },
  { name: "50 alone", options: { requestedIp: A }, want: { kind: "init-reboot", address: A } },
  { name: "50 of zeros", options: { requestedIp: "0.0.0.0" }, want: { kind: "unclear" } },
  { name: "neither (npm's dhcp client)", options: {}, want: { kind: "unclear" } },
  {
    name: "ciaddr by unicast",
    options: {},
    over: { clientIp: A },
    unicast: true,
    want: { kind: "renewing", address: A },
  },
  { name: "ciaddr by broadcast", options: {}, over: { clientIp: A }, want: { kind: "rebinding", address: A } },
  {
    name: "ciaddr through a relay, which is unicast too",
    options: {},
    over: { clientIp: A, relayIp: "10.9.9.1" },
    unicast: true,
    want: { kind: "rebinding", address: A },
  },
  {
    name: "ciaddr and 50: ciaddr counts",
    options: { requestedIp: "10.0.0.9" },
    over: { clientIp: A },
    want: { kind: "rebinding", address: A },
  },
];
for (const { name, options, over, unicast = false, want } of CASES) {
  test(`requestState: ${name}`, () => {
    expect(requestState({ ...base, ...over, options: { messageType: 3, ...options } }, unicast)).toMatchObject(want);
  });
}
