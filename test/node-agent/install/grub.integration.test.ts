// GRUB's own tools (package grub-common) read and check what we write. No root.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { renderGrubConfig, renderGrubEarly, renderGrubEntry } from "../../../node-agent/install/grub-config.ts";
import { decodeGrubEnv, encodeGrubEnv, withBlessed, withNext } from "../../../node-agent/install/grub-env.ts";

const DIR = mkdtempSync(join(tmpdir(), "slipway-grub-"));
afterAll(() => rmSync(DIR, { recursive: true }));
const run = (...args: string[]) => execFileSync(args[0]!, args.slice(1), { encoding: "utf8", stdio: "pipe" });
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(DIR, name), content);
  return join(DIR, name);
};

describe("grub-editenv", () => {
  test("lists what we write", () => {
    const path = file("ours", encodeGrubEnv(withNext(withBlessed(new Map([["other", "a\\b"]]), "EFI"), "BOOT")));
    expect(run("grub-editenv", path, "list")).toBe("slipway_good=EFI\nslipway_next=BOOT\nslipway_left=3\nother=a\\b\n");
  });
  test("changes a block of ours, and we read it", () => {
    const path = file("changed", encodeGrubEnv(withNext(new Map(), "BOOT")));
    run("grub-editenv", path, "set", "slipway_left=2", "added=x=y");
    const reading = decodeGrubEnv(readFileSync(path));
    expect(reading.kind === "env" && [...reading.env]).toEqual([
      ["slipway_next", "BOOT"],
      ["slipway_left", "2"],
      ["added", "x=y"],
    ]);
  });
  test("makes a block that we read", () => {
    const path = join(DIR, "theirs");
    run("grub-editenv", path, "create");
    expect(decodeGrubEnv(readFileSync(path))).toEqual({ kind: "env", env: new Map() });
  });
});

describe("grub-script-check", () => {
  const volumes = { EFI: "AAAA-0001", BOOT: "AAAA-0002" };
  const TEXTS = {
    "grub.cfg": renderGrubConfig(volumes),
    "early.cfg": renderGrubEarly(),
    "entry.cfg": renderGrubEntry(7, "console=ttyS0 quoted='it'"),
  };
  for (const [name, text] of Object.entries(TEXTS)) {
    test(`finds no fault in ${name}`, () => expect(run("grub-script-check", file(name, text))).toBe(""));
  }
  test("does find one in half a file", () =>
    expect(() => run("grub-script-check", file("half.cfg", TEXTS["grub.cfg"].slice(0, 900)))).toThrow(/Syntax error/));
});
