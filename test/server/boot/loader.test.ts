import { expect, test } from "vitest";
import type { BootClient } from "../../../server/boot/client.ts";
import { chooseBootFile } from "../../../server/boot/loader.ts";

const AT = { ip: "192.0.2.1", httpPort: 8080 };
const MAC = "52:54:00:12:34:56";
const CASES: { name: string; client: BootClient; want: object }[] = [
  {
    name: "BIOS PXE ROM",
    client: { kind: "pxe", platform: "bios", arch: "i386", archCode: 0 },
    want: { kind: "tftp", file: "ipxe/bios/undionly.kpxe" },
  },
  {
    name: "UEFI x64 PXE",
    client: { kind: "pxe", platform: "uefi", arch: "x86_64", archCode: 7 },
    want: { kind: "tftp", file: "ipxe/x86_64/snponly.efi" },
  },
  {
    name: "UEFI arm64 PXE",
    client: { kind: "pxe", platform: "uefi", arch: "arm64", archCode: 11 },
    want: { kind: "tftp", file: "ipxe/arm64/ipxe-arm64.efi" },
  },
  {
    name: "UEFI x64 HTTP Boot",
    client: { kind: "http", platform: "uefi", arch: "x86_64", archCode: 16 },
    want: { kind: "url", file: "http://192.0.2.1:8080/ipxe-http/52-54-00-12-34-56/x86_64/snponly.efi" },
  },
  {
    name: "iPXE",
    client: { kind: "ipxe", platform: "bios", arch: "i386", archCode: 0, hasHttp: true },
    want: { kind: "url", file: "http://192.0.2.1:8080/boot/entry.ipxe" },
  },
  {
    name: "iPXE that does not list its features",
    client: { kind: "ipxe", platform: "uefi", arch: "arm64", archCode: 11 },
    want: { kind: "url", file: "http://192.0.2.1:8080/boot/entry.ipxe" },
  },
  {
    name: "iPXE without HTTP",
    client: { kind: "ipxe", platform: "bios", arch: "i386", archCode: 0, hasHttp: false },
    want: { kind: "tftp", file: "ipxe/bios/undionly.kpxe" },
  },
  {
    name: "Raspberry Pi ROM",
    client: { kind: "raspberry-pi", platform: "raspberry-pi", arch: "arm64", archCode: 0 },
    want: { kind: "pi" },
  },
];
for (const { name, client, want } of CASES) {
  test(`chooseBootFile gives ${name} its file`, () => expect(chooseBootFile(client, MAC, AT)).toEqual(want));
}

const WITHOUT: { name: string; client: BootClient; why: RegExp }[] = [
  {
    name: "UEFI ia32",
    client: { kind: "pxe", platform: "uefi", arch: "i386", archCode: 6 },
    why: /uefi i386 \(code 6\): there is no loader/,
  },
  {
    name: "RISC-V",
    client: { kind: "pxe", platform: "uefi", arch: "riscv64", archCode: 27 },
    why: /riscv64 \(code 27\)/,
  },
  { name: "U-Boot", client: { kind: "uboot", platform: "uboot", arch: "arm64", archCode: 22 }, why: /PXELINUX/ },
  {
    name: "an unknown platform",
    client: { kind: "pxe", platform: "other", arch: "other" },
    why: /^other other: there/,
  },
];
for (const { name, client, why } of WITHOUT) {
  test(`chooseBootFile has nothing for ${name} and says why`, () => {
    const file = chooseBootFile(client, MAC, AT);
    expect(file.kind).toBe("none");
    expect(file).toHaveProperty("reason", expect.stringMatching(why));
  });
}
