// Golden replies: what each kind of booting client gets on the wire, byte for byte, readable, in test/vectors/dhcp/*.reply.
// A change of any byte toward firmware shows up in review. `UPDATE_VECTORS=1` writes them anew.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { OPTIONS } from "../../../server/dhcp/options.ts";
import { decodePacket } from "../../../server/dhcp/packet.ts";
import { replyOf, Site, wireCodes, wireOption } from "./site.ts";
import { toHex, vector, vectorBytes } from "./vectors.ts";

const DIR = "test/vectors/dhcp";
const NAMES = [
  "rpi3b-bootrom-discover",
  "rpi4-discover-serial-option97",
  "bios-asrock-discover",
  "edk2-pxe-x64-discover",
  "edk2-pxe-aa64-discover",
  "edk2-pxe-ia32-discover",
  "edk2-http-x64-discover-captured",
  "uboot-arm64-discover",
  "ipxe-bios-virtio-discover",
  "ipxe-efi-arm64-discover",
  "edk2-pxe-x64-4011-bootitem",
  "grub-discover",
];
const NAME_OF = new Map<number, string>(Object.entries(OPTIONS).map(([name, { code }]) => [code, name]));

/** Header by fields, one option a line: what a person can compare. */
function readable(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  const text = (from: number, length: number) =>
    Buffer.from(bytes.subarray(from, from + length))
      .toString("latin1")
      .replace(/\0+$/, "");
  const lines = [
    `${hex.slice(0, 8)} ${hex.slice(8, 16)} ${hex.slice(16, 24)}    # op htype hlen hops | xid | secs flags`,
    `${hex.slice(24, 32)} ${hex.slice(32, 40)} ${hex.slice(40, 48)} ${hex.slice(48, 56)}    # ciaddr yiaddr siaddr giaddr`,
    `${hex.slice(56, 88)}    # chaddr`,
    `"${text(44, 64)}" "${text(108, 128)}"    # sname file`,
  ];
  for (const code of wireCodes(bytes)) {
    const value = wireOption(bytes, code);
    if (value === undefined) lines.push("ff    # END");
    else lines.push(`${toHex(Uint8Array.of(code, value.length))} ${toHex(value)}    # ${code} ${NAME_OF.get(code)}`);
  }
  return [...lines, `${bytes.length} bytes`].join("\n");
}

function replyTo(name: string, mode: "server" | "proxy"): string {
  const port = vector(name).kind === "pxe-4011-request" ? 4011 : 67;
  const decision = new Site().ask(vectorBytes(name), { mode, port, source: { ip: "192.0.2.100", port: 4011 } });
  return decision.kind === "ignore" ? `no answer: ${decision.reason}` : readable(replyOf(decision).bytes);
}

for (const name of NAMES) {
  test(`the replies to ${name} are the golden ones`, () => {
    const path = `${DIR}/${name}.reply`;
    const modes = (["server", "proxy"] as const).map((mode) => `# ${mode}\n${replyTo(name, mode)}\n`);
    const now = `# Replies of Slipway (pxe.md 0.1's scenario) to the vector ${name}.\n\n${modes.join("\n")}`;
    if (process.env.UPDATE_VECTORS) writeFileSync(path, now);
    expect(now).toBe(readFileSync(path, "utf8"));
    expect(decodePacket(vectorBytes(name)).op).toBe(1);
  });
}
test("no golden reply is left over", () => {
  expect(readdirSync(DIR).sort()).toEqual(NAMES.map((name) => `${name}.reply`).sort());
});
