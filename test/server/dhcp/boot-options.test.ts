// Loops and names of odd length; the forms of each kind are in vectors.test.ts.
import { describe, expect, test } from "vitest";
import { LOOP_FETCHES } from "../../../server/dhcp/boot-options.ts";
import { message } from "./messages.ts";
import { replyOf, Site, wireCodes, wireOption } from "./site.ts";
import { fromHex } from "./vectors.ts";

const full = { userClass: Uint8Array.from(Buffer.from("iPXE")), ipxe: fromHex("130101"), clientArch: [7] };
const limited = { ipxe: fromHex("150101"), clientArch: [0] };

describe("loop guard", () => {
  const ask = (options: object, loaderFetches: number, mode: "server" | "proxy" = "server") =>
    replyOf(new Site().ask(message("discover", options), { loaderFetches, mode }));
  test(`after more than ${LOOP_FETCHES} fetches iPXE is told why, and an event says so`, () => {
    for (const mode of ["server", "proxy"] as const) {
      const reply = ask(full, 4, mode);
      expect(reply.packet.bootFile).toBe("http://192.0.2.1:8080/boot/loop.ipxe");
      expect(reply.events).toContainEqual(expect.objectContaining({ kind: "dhcp-loop", detail: { count: 4 } }));
    }
  });
  test("an iPXE without HTTP gets the loader, then the script by TFTP", () => {
    expect(ask(limited, 3).packet.bootFile).toBe("ipxe/bios/undionly.kpxe");
    expect(ask(limited, 4).packet.bootFile).toBe("boot/loop.ipxe");
  });
  test("firmware that is not iPXE is never taken for a loop", () => {
    const reply = ask({ vendorClass: "PXEClient", clientArch: [7] }, 9);
    expect(reply.packet.bootFile).toBe("ipxe/x86_64/snponly.efi");
    expect(reply.events.map(({ kind }) => kind)).not.toContain("dhcp-loop");
  });
});

test("a URL over 127 bytes goes into option 67 only: `file` cannot hold it", () => {
  const file = `http://192.0.2.1:8080/${"a".repeat(110)}`;
  const reply = replyOf(new Site().ask(message("discover", full), { bootFile: { kind: "url", file } }));
  expect(reply.packet.bootFile).toBe("");
  expect(Buffer.from(wireOption(reply.bytes, 67)!).toString("latin1")).toBe(`${file}\0`);
});
test("an empty option 97 is not echoed", () => {
  const options = { vendorClass: "PXEClient", clientArch: [7], clientUuid: new Uint8Array() };
  expect(wireCodes(replyOf(new Site().ask(message("discover", options))).bytes)).not.toContain(97);
});
test("U-Boot that has a file gets it without PXE's marks", () => {
  const bootFile = { kind: "tftp", file: "boot.scr" } as const;
  const reply = replyOf(new Site().ask(message("discover", { vendorClass: "U-Boot.armv8" }), { bootFile }));
  expect(reply.packet).toMatchObject({ bootFile: "boot.scr", nextServerIp: "192.0.2.1" });
  for (const code of [43, 60]) expect(wireCodes(reply.bytes)).not.toContain(code);
});
