import { expect, test } from "vitest";
import { normaliseName, printableName } from "../../../server/tftp/names.ts";

const GOOD: [raw: string, name: string][] = [
  ["ipxe/bios/undionly.kpxe", "ipxe/bios/undionly.kpxe"],
  ["/ipxe/bios/undionly.kpxe", "ipxe/bios/undionly.kpxe"],
  ["//ipxe///bios//undionly.kpxe", "ipxe/bios/undionly.kpxe"],
  ["./ipxe/./bios/undionly.kpxe", "ipxe/bios/undionly.kpxe"],
  ["\\NWA_PXE\\x86_64\\EFI\\BOOT\\BOOTX64.EFI", "NWA_PXE/x86_64/EFI/BOOT/BOOTX64.EFI"],
  ["tftp://192.0.2.1/ipxe/x.efi", "ipxe/x.efi"],
  ["TFTP://192.0.2.1:69//x.efi", "x.efi"],
  ["undionly.kpxe\xff", "undionly.kpxe"],
  ["undionly.kpxe\xff\xff\xff", "undionly.kpxe"],
  ["a..b/c..", "a..b/c.."],
  ["M\xfcnchen.efi", "M\xfcnchen.efi"],
  ["%2e%2e/x", "%2e%2e/x"],
  ["a/".repeat(255), "a/".repeat(255).slice(0, -1)],
];
for (const [raw, name] of GOOD) {
  test(`normaliseName(${JSON.stringify(raw).slice(0, 60)})`, () =>
    expect(normaliseName(raw)).toEqual({ kind: "name", name }));
}

const BAD: [raw: string, code: number][] = [
  ["../../etc/passwd", 2],
  ["..\\..\\x", 2],
  ["a/../b", 2],
  ["a/..", 2],
  ["..", 2],
  ["tftp://192.0.2.1/../x", 2],
  ["", 1],
  ["/", 1],
  [".", 1],
  ["\xff\xff", 1],
  ["a\nb", 2],
  ["a\x7fb", 2],
  ["x".repeat(600), 2],
];
for (const [raw, code] of BAD) {
  test(`normaliseName refuses ${JSON.stringify(raw).slice(0, 60)} with ERROR ${code}`, () =>
    expect(normaliseName(raw)).toMatchObject({ kind: "refused", code }));
}

test("printableName shows rubbish as question marks and stays short", () => {
  expect(printableName("a\x1b[31m\xffb")).toBe("a?[31m?b");
  expect(printableName("x".repeat(600))).toHaveLength(101);
});
