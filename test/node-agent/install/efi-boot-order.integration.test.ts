// efibootmgr (package efibootmgr) shows and makes boot entries beside us, in a directory instead of efivarfs. No root.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { planBootOrder } from "../../../node-agent/install/efi-boot-order.ts";
import { planLayout } from "../../../node-agent/install/layout.ts";
import { GIB, GUIDS } from "./disk.ts";

const DIR = mkdtempSync(join(tmpdir(), "slipway-efi-"));
afterAll(() => rmSync(DIR, { recursive: true }));

test("efibootmgr shows the entries and the order that we write", () => {
  const vars = join(DIR, "vars");
  mkdirSync(vars);
  const outcome = planLayout({ sizeBytes: 20 * GIB, sectorBytes: 512 }, "uefi-x86_64", GUIDS);
  if (outcome.kind !== "layout") throw new Error(outcome.reason);
  for (const step of planBootOrder(new Map(), outcome.layout)) {
    if (step.kind === "write") writeFileSync(join(vars, step.variable), step.bytes);
  }
  const shown = execFileSync("efibootmgr", ["-v"], {
    encoding: "utf8",
    env: { ...process.env, EFIVARFS_PATH: `${vars}/` },
  });
  expect(shown).toContain("BootOrder: 0000,0001,0002,0003,0004");
  const lines = shown.split("\n").filter((line) => line.startsWith("Boot000"));
  expect(lines[0]).toMatch(
    /^Boot0000\* Slipway OS\tHD\(1,GPT,00000002-1111-4222-8333-444444444444,0x800,0x200000\)\/File\(\\EFI\\slipway\\loader\.efi\)/,
  );
  expect(lines[4]).toMatch(/^Boot0004\* Slipway OS \(second slot\)\tHD\(2,GPT,00000004-1111-4222-8333-444444444444,/);
  expect(lines).toHaveLength(5);
  expect(readFileSync(join(vars, "BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c")).toString("hex")).toBe(
    "0700000000000100020003000400",
  );
});
