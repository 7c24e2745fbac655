// What an installer fetches beside an image: over the real app, from a real folder.
import { afterEach, beforeEach, expect, test } from "vitest";
import { imageFilePath, imagePath } from "../../../server/boot/paths.ts";
import { pattern, sha256, writeImage } from "../../boot-assets/asset-folder.ts";
import { ask, bootApp } from "./boot-app.ts";

let it: Awaited<ReturnType<typeof bootApp>>;
beforeEach(async () => {
  it = await bootApp();
});
afterEach(() => it.close());

const loader = pattern(5000, 4);
/** The full image of the folder, with systemd-boot and without GRUB. */
async function imageWithLoader(): Promise<string> {
  const { manifest } = writeImage(it.folder.dir, { variant: "full", seed: 3, diskLoaders: { loader } });
  await it.assets.rescan();
  return manifest.id;
}

test("the manifest comes as it lies there, and its parts with their digest as ETag", async () => {
  const id = await imageWithLoader();
  const manifest = await ask(it.port, imageFilePath(id, "manifest.json"));
  expect(manifest).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
  expect(JSON.parse(manifest.body.toString())).toMatchObject({ id, loader: { sha256: sha256(loader) } });
  const whole = await ask(it.port, imageFilePath(id, "loader"));
  expect(whole.body.equals(loader)).toBe(true);
  expect(whole.headers.etag).toBe(`"${sha256(loader)}"`);
});

test("a broken-off loader goes on where it was", async () => {
  const id = await imageWithLoader();
  const some = await ask(it.port, imageFilePath(id, "loader"), { range: "bytes=4000-" });
  expect(some).toMatchObject({ status: 206, headers: { "content-range": "bytes 4000-4999/5000" } });
  expect(some.body.equals(loader.subarray(4000))).toBe(true);
});

test("what an image does not have is 404, and small files are no news on a timeline", async () => {
  const id = await imageWithLoader();
  expect((await ask(it.port, imageFilePath(id, "grub-core"))).status).toBe(404);
  expect((await ask(it.port, imageFilePath(id, "manifest.sig"))).status).toBe(404);
  await ask(it.port, imageFilePath(id, "loader"));
  await ask(it.port, imagePath(id, "kernel"));
  await it.event("image-done");
  expect(new Set(it.events.map(({ detail }) => detail?.file))).toEqual(new Set(["kernel"]));
});
