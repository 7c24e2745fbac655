// curl against the boot app: whole files, ranges, a resumed download, HEAD, conditions.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootApp } from "./boot-app.ts";

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), "slipway-curl-"));
let it: Awaited<ReturnType<typeof bootApp>>;
let url: string;
beforeAll(async () => {
  it = await bootApp({}, { imageBytes: 5_000_000 });
  url = `http://127.0.0.1:${it.port}/image/${it.image.manifest.id}/uki`;
});
afterAll(async () => {
  await it.close();
  rmSync(dir, { recursive: true, force: true });
});
const curl = async (...args: string[]) => (await run("curl", ["-sS", ...args], { cwd: dir })).stdout;
const got = () => readFileSync(join(dir, "got"));

test("a whole file, twice on one connection", async () => {
  const said = await curl("-o", "got", "-o", "again", "-w", "%{http_code} %{num_connects}\n", url, url);
  expect(said).toBe("200 1\n200 0\n");
  expect(got().equals(it.image.uki)).toBe(true);
});

test("a download that was broken off is resumed", async () => {
  writeFileSync(join(dir, "got"), it.image.uki.subarray(0, 1_234_567));
  expect(await curl("-C", "-", "-o", "got", "-w", "%{http_code}", url)).toBe("206");
  expect(got().equals(it.image.uki)).toBe(true);
});

test.each([
  ["0-0", 0, 1],
  ["100-199", 100, 200],
  ["4999999-", 4_999_999, 5_000_000],
  ["-7", 4_999_993, 5_000_000],
])("range %s", async (range, start, end) => {
  expect(await curl("-r", range, "-o", "got", "-w", "%{http_code}", url)).toBe("206");
  expect(got().equals(it.image.uki.subarray(start, end))).toBe(true);
});

test("HEAD, an ETag that is known, a range behind the end", async () => {
  expect(await curl("-I", url)).toContain("content-length: 5000000");
  const tag = `If-None-Match: "${it.image.manifest.uki.sha256}"`;
  expect(await curl("-H", tag, "-o", "got", "-w", "%{http_code} %{size_download}", url)).toBe("304 0");
  expect(await curl("-r", "5000000-", "-o", "got", "-w", "%{http_code}", url)).toBe("416");
});
