// The real tree of the amd64 image, and what issue 8 wants refused: dash renamed, BusyBox hard-linked under a listed name, a
// script smuggled in. The specimens are Debian's own binaries, from the tools' lock. Composes the trees (about 20 s; fetches
// packages on the first run), packs nothing.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findDisallowed, readAllowList, rowsOfVariant } from "../../../boot-assets/image/allow-list.ts";
import { cacheDirOf, lockCache } from "../../../boot-assets/image/cache.ts";
import { unpack } from "../../../boot-assets/image/deb.ts";
import { downloadAll } from "../../../boot-assets/image/download.ts";
import { fetchPackages } from "../../../boot-assets/image/fetch-packages.ts";
import { type ComposedImage, composeImage } from "../../../boot-assets/image/image.ts";
import { openProgress } from "../../../boot-assets/image/progress.ts";
import { openBuildTools } from "../../../boot-assets/image/tools.ts";
import type { Tree, TreeEntry } from "../../../boot-assets/image/tree.ts";

type FileEntry = Extract<TreeEntry, { kind: "file" }>;

const rows = rowsOfVariant(readAllowList().amd64, "base");
const cacheDir = cacheDirOf(process.env);
let workDir: string;
let image: ComposedImage;
let relocked: ReadonlySet<string>;
let specimens: Record<"dash" | "busybox", FileEntry>;

beforeAll(async () => {
  workDir = mkdtempSync(join(tmpdir(), "slipway-allow-list-"));
  const progress = openProgress(process.stderr);
  const unlock = await lockCache(cacheDir, progress);
  try {
    const locks = await fetchPackages({ arches: ["amd64"], variant: "base", cacheDir, isLocked: false, progress });
    relocked = locks.relocked;
    const tools = await openBuildTools(cacheDir, locks.tools, "base");
    image = await composeImage({
      arch: "amd64",
      variant: "base",
      version: "0",
      lock: locks.amd64,
      cacheDir,
      workDir,
      tools,
      progress,
    });
    const rowsOf = (name: string) => locks.tools.packages.filter((row) => row.name === name);
    await downloadAll([...rowsOf("dash"), ...rowsOf("busybox-static")], cacheDir, progress);
    const only = async (name: string, path: string) =>
      (await unpack(cacheDir, rowsOf(name)[0]!, [path])).get(path) as FileEntry;
    specimens = { dash: await only("dash", "usr/bin/dash"), busybox: await only("busybox-static", "usr/bin/busybox") };
  } finally {
    unlock();
  }
}, 600_000);
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

/** The root with some files more, or other ones. */
const rootWith = (over: Record<string, FileEntry>): Tree => new Map([...image.root, ...Object.entries(over)]);
const faults = (tree: Tree) => findDisallowed(tree, rows, relocked);

test("the image as it is passes, root and initramfs", () => {
  expect(faults(image.root)).toEqual([]);
  expect(faults(image.initrd)).toEqual([]);
});

test("dash renamed is refused: as a new name, and as a listed program of a listed package", () => {
  expect(faults(rootWith({ "usr/lib/slipway/helper": specimens.dash })).join("\n")).toMatch(
    /helper \(dash\) is not in the allow-list[\s\S]*helper is a shell/,
  );
  const asMount = { ...specimens.dash, from: "mount" };
  expect(faults(rootWith({ "usr/bin/mount": asMount })).join("\n")).toMatch(/mount has sha256[\s\S]*mount is a shell/);
  // Even where a local relock excuses other bytes, the content does not lie.
  expect(findDisallowed(rootWith({ "usr/bin/mount": asMount }), rows, new Set(["mount"]))).toEqual([
    "/usr/bin/mount is a shell, whatever its name",
  ]);
});

test("BusyBox hard-linked under another name is refused, without the x bit too", () => {
  for (const mode of [0o755, 0o644]) {
    const linked = { ...specimens.busybox, mode, from: "kmod" };
    expect(faults(rootWith({ "usr/bin/kmod": linked, "usr/lib/udev/ata_id": linked })).join("\n")).toMatch(
      /kmod has sha256[\s\S]*ata_id comes from kmod[\s\S]*kmod is (a shell|BusyBox)[\s\S]*ata_id is (a shell|BusyBox)/,
    );
  }
});

test("a script smuggled in is refused, wherever and with whatever mode", () => {
  for (const [path, mode] of [
    ["etc/motd", 0o644],
    ["usr/lib/slipway/run", 0o755],
  ] as const) {
    const script: FileEntry = { kind: "file", mode, bytes: Buffer.from("#!/usr/bin/node\n"), from: "slipway" };
    expect(faults(rootWith({ [path]: script })).join("\n")).toContain(`/${path} is a script (it starts with #!)`);
  }
});
