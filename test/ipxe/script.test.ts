import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { quoteText, wrapText } from "../../ipxe/quote.ts";
import { renderScript, type Script } from "../../ipxe/script.ts";

const BASE = "http://192.0.2.1:8080";
const SCRIPTS: Record<string, Script> = {
  entry: { kind: "entry", scriptUrl: `${BASE}/boot/script` },
  autoexec: { kind: "autoexec", scriptUrl: `${BASE}/boot/script` },
  os: {
    kind: "os",
    title: "52:54:00:12:34:56 loads Slipway OS 0.1.0 (amd64)",
    kernelUrl: `${BASE}/image/0123456789abcdef/kernel`,
    initrdUrl: `${BASE}/image/0123456789abcdef/initrd`,
    ticketUrl: `${BASE}/boot/ticket/0a1b2c`,
    cmdline: "panic=10 oops=panic console=tty0 console=ttyS0,115200",
    retryUrl: `${BASE}/boot/entry.ipxe`,
  },
  "disk-uefi": { kind: "disk", reason: "a person chose its disk", via: "uefi" },
  "disk-bios-rom": { kind: "disk", reason: "it is retired", via: "bios-rom" },
  "disk-bios-undionly": { kind: "disk", reason: "its OS is on its disk", via: "bios-undionly" },
  explain: {
    kind: "explain",
    reason: "there is no Slipway OS image for arm64 here",
    remedy: "On the appliance, run: npm run assets",
    retryUrl: `${BASE}/boot/entry.ipxe`,
    seconds: 30,
  },
};

for (const [name, script] of Object.entries(SCRIPTS)) {
  test(`renderScript ${name} is test/vectors/ipxe/${name}.ipxe`, () => {
    const file = `test/vectors/ipxe/${name}.ipxe`;
    if (process.env.UPDATE_VECTORS) writeFileSync(file, renderScript(script));
    expect(renderScript(script)).toBe(readFileSync(file, "utf8"));
  });
}

test("quoteText leaves nothing that iPXE would act on", () => {
  expect(quoteText('a ${net0/ip} && reboot || `x` "q" #c \\ \n goto b')).toBe(
    "a ''net0/ip' '' reboot '' 'x' 'q' 'c ' goto b",
  );
  fc.assert(fc.property(fc.string(), (text) => !/[$&|"\\#{}\n\r]/.test(quoteText(text))));
});

test("wrapText keeps every word and every line under 77 columns", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,20}$/), { minLength: 1, maxLength: 20 }), (words) => {
      const lines = wrapText(words.join(" "));
      expect(lines.every((line) => line.length <= 76)).toBe(true);
      expect(lines.join(" ")).toBe(words.join(" "));
    }),
  );
});
