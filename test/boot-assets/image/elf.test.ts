import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isElf, readElf } from "../../../boot-assets/image/elf.ts";
import { elfFile } from "./elf-file.ts";

test("readElf reads the Node that runs this test", () => {
  const elf = readElf(readFileSync(process.execPath), "node");
  expect(elf.kind === "executable" || elf.kind === "shared").toBe(true);
  expect(elf.needed).toContain("libc.so.6");
  expect(elf.interpreter).toMatch(/ld-linux/);
});

test("readElf reads libraries, run path, loader, dlopen notes and module information", () => {
  const bytes = elfFile({
    needed: ["libc.so.6", "libm.so.6"],
    soname: "libx.so.1",
    runpath: "/usr/lib/systemd:$ORIGIN",
    interpreter: "/lib64/ld-linux-x86-64.so.2",
    dlopen: [{ soname: ["libkmod.so.2"], priority: "required", feature: "kmod" }, { soname: ["libz.so.1"] }],
    modinfo: ["license=GPL", "depends=a,b", "firmware=x.bin"],
  });
  expect(readElf(bytes, "x")).toMatchObject({
    kind: "shared",
    machine: 62,
    needed: ["libc.so.6", "libm.so.6"],
    soname: "libx.so.1",
    runpath: ["/usr/lib/systemd", "$ORIGIN"],
    interpreter: "/lib64/ld-linux-x86-64.so.2",
    dlopen: [
      { sonames: ["libkmod.so.2"], priority: "required", feature: "kmod" },
      { sonames: ["libz.so.1"], priority: "recommended", feature: "" },
    ],
    modinfo: [
      ["license", "GPL"],
      ["depends", "a,b"],
      ["firmware", "x.bin"],
    ],
  });
});

test("readElf: a cut or foreign file is ASSET_DAMAGED and nothing else", () => {
  const bytes = elfFile({ needed: ["libc.so.6"], dlopen: [{ soname: ["x"] }] });
  for (let length = 0; length < bytes.length; length++) {
    expect(() => readElf(bytes.subarray(0, length), "cut"), `length ${length}`).toThrow(
      expect.objectContaining({ code: "ASSET_DAMAGED" }),
    );
  }
  expect(isElf(Buffer.from("#!/bin/sh\n"))).toBe(false);
});
