import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import { type BootImage, leaveVia, scriptFor } from "../../../server/boot/script-for.ts";

const BASE = "http://192.0.2.1:8080";
const MACHINE: Machine = {
  id: "m1",
  macs: ["52:54:00:12:34:56"],
  lifecycle: "approved",
  activity: "loading",
  createdAt: "2026-01-01T00:00:00.000Z",
  seenAt: "2026-01-01T00:00:00.000Z",
};
const IMAGE: BootImage = { id: "0123", name: "Slipway OS", version: "0.1.0", arch: "amd64", cmdline: "panic=10" };
const UEFI = { mac: "52:54:00:12:34:56", arch: "x86_64", platform: "efi" };

test("scriptFor names the image's own URLs and the attempt's ticket, and no secret", () => {
  expect(scriptFor(UEFI, MACHINE, { kind: "os", reason: "it is approved" }, IMAGE, BASE, "a1")).toEqual({
    kind: "os",
    title: "52:54:00:12:34:56 loads Slipway OS 0.1.0 (amd64): it is approved",
    kernelUrl: `${BASE}/image/0123/kernel`,
    initrdUrl: `${BASE}/image/0123/initrd`,
    ticketUrl: `${BASE}/boot/ticket/a1`,
    cmdline: "panic=10",
    retryUrl: `${BASE}/boot/entry.ipxe`,
  });
});

test("scriptFor calls a machine by its name when it has one", () => {
  const script = scriptFor(UEFI, { ...MACHINE, name: "rack1-07" }, { kind: "os", reason: "r" }, IMAGE, BASE, "a1");
  expect(script).toHaveProperty("title", "rack1-07 (52:54:00:12:34:56) loads Slipway OS 0.1.0 (amd64): r");
});

const MISSING = [
  {
    name: "an architecture whose image was not built",
    arch: "arm64",
    reason: /no Slipway OS image for arm64/,
    remedy: /npm run assets/,
  },
  {
    name: "a processor without 64 bits",
    arch: "i386",
    reason: /does not run on this processor \(i386\)/,
    remedy: /64-bit/,
  },
];
for (const { name, arch, reason, remedy } of MISSING) {
  test(`scriptFor explains ${name}`, () => {
    const script = scriptFor({ ...UEFI, arch }, MACHINE, { kind: "os", reason: "r" }, undefined, BASE, "a1");
    expect(script).toMatchObject({
      kind: "explain",
      reason: expect.stringMatching(reason),
      remedy: expect.stringMatching(remedy),
    });
  });
}

const LEAVING = [
  { request: UEFI, via: "uefi" },
  { request: { ...UEFI, platform: "pcbios" }, via: "bios-rom" },
  { request: { ...UEFI, platform: "pcbios", chip: "undionly" }, via: "bios-undionly" },
];
for (const { request, via } of LEAVING) {
  test(`leaveVia says ${via}`, () => {
    expect(leaveVia(request)).toBe(via);
    const script = scriptFor(request, MACHINE, { kind: "disk", reason: "it is retired" }, IMAGE, BASE, "a1");
    expect(script).toEqual({ kind: "disk", reason: "it is retired", via });
    expect(scriptFor(request, MACHINE, { kind: "ignore", reason: "r" }, IMAGE, BASE, "a1").kind).toBe("disk");
  });
}
