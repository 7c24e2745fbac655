// The committed code of the contract is what buf makes of agent.proto, and buf finds nothing to say about it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const GENERATED = "server/contract/generated/agent.ts";

function buf(...args: string[]): void {
  const bin = join(ROOT, "node_modules/.bin");
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  execFileSync(join(bin, "buf"), args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
}

test("agent.ts is current: run `buf generate` after a change to agent.proto", () => {
  const dir = mkdtempSync(join(tmpdir(), "slipway-proto-"));
  try {
    buf("generate", "--output", dir);
    expect(readFileSync(join(dir, GENERATED), "utf8")).toBe(readFileSync(join(ROOT, GENERATED), "utf8"));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("agent.proto keeps buf's rules", () => expect(() => buf("lint")).not.toThrow());
