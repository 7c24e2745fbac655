// Every http-* row of test/vectors/pxe-vectors.jsonl with its own headers against the real app. The rows name files of
// other people's servers; each is asked here for the path that Slipway advertises to that client.
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { httpLoaderPath } from "../../../server/boot/paths.ts";
import { ask, bootApp } from "./boot-app.ts";

type Vector = { name: string; kind: string; fields: { headers: Record<string, string> }; expected_behaviour: string };
const VECTORS = readFileSync(new URL("../../vectors/pxe-vectors.jsonl", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Vector)
  .filter((vector) => vector.kind === "http-request");

let it: Awaited<ReturnType<typeof bootApp>>;
beforeEach(async () => {
  it = await bootApp({}, { imageBytes: 9_000_000 });
});
afterEach(async () => {
  await it.close();
});
const LOADER = httpLoaderPath("uefi-x86_64", "52:54:00:12:34:56");

/** 200, typed, not chunked, the body as long as announced. */
async function expectPlainFile(headers: Record<string, string>) {
  const get = await ask(it.port, LOADER, headers);
  expect(get.status).toBe(200);
  expect(get.headers["content-type"]).toBe("application/efi");
  expect(get.headers["transfer-encoding"]).toBeUndefined();
  expect(Number(get.headers["content-length"])).toBe(get.body.length);
  expect(get.body.equals(it.loaders["x86_64/snponly.efi"]!)).toBe(true);
  return get;
}

const CHECKS: Record<string, (headers: Record<string, string>) => Promise<void>> = {
  "http-edk2-get": async (headers) => {
    const get = await expectPlainFile(headers);
    const head = await ask(it.port, LOADER, headers, "HEAD");
    expect([head.status, head.headers["content-length"], head.headers.etag]).toEqual([
      200,
      get.headers["content-length"],
      get.headers.etag,
    ]);
  },
  "http-edk2-resume": async (headers) => {
    const { id, uki } = it.image.manifest;
    const path = `/image/${id}/uki`;
    const resumed = await ask(it.port, path, { ...headers, "If-Match": `"${uki.sha256}"` });
    expect([resumed.status, resumed.headers["content-range"]]).toEqual([206, `bytes 1048576-2097151/${uki.bytes}`]);
    expect(resumed.body.equals(it.image.uki.subarray(1_048_576, 2_097_152))).toBe(true);
    expect((await ask(it.port, path, headers)).status).toBe(412);
    const { "If-Match": _tag, ...byDate } = headers;
    const since = (date: string) => ask(it.port, path, { ...byDate, "If-Unmodified-Since": date });
    expect((await since(resumed.headers["last-modified"]!)).status).toBe(206);
    expect((await since("Thu, 01 Jan 1970 00:00:00 GMT")).status).toBe(412);
  },
  "http-shim-get": async (headers) => void (await expectPlainFile(headers)),
  // A row that asks for a Raspberry Pi's files: recognised and recorded, its tree is not served by this version.
  "http-rpi-bootloader": async () => {
    for (const path of ["/net/boot.sig", "/net/boot.img", "/net/boot.img"]) {
      const { status, headers, body } = await ask(it.port, path);
      expect([status, Number(headers["content-length"])]).toEqual([404, body.length]);
    }
    expect(it.events.map((event) => event.kind)).toEqual(["raspberry-pi", "raspberry-pi", "raspberry-pi"]);
  },
};

for (const vector of VECTORS) {
  test(`${vector.name}: ${vector.expected_behaviour}`, async () => {
    expect(CHECKS[vector.name], "this vector has no check").toBeDefined();
    await CHECKS[vector.name]!(vector.fields.headers);
  });
}

test("every check has its vector", () => {
  expect(Object.keys(CHECKS).sort()).toEqual(VECTORS.map((vector) => vector.name).sort());
});
