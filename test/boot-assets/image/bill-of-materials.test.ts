import { expect, test } from "vitest";
import { bundledParts, lockedParts, renderSpdx } from "../../../boot-assets/image/bill-of-materials.ts";
import type { LockedPackage } from "../../../boot-assets/image/lock.ts";
import { treeOf } from "./tree-of.ts";

const row = (name: string, archive: LockedPackage["archive"]): LockedPackage => ({
  name,
  version: "1:2+b1",
  arch: "amd64",
  archive,
  file: "f",
  bytes: 1,
  sha256: "aa",
});

test("lockedParts lists packages that gave a file, and those named, with package URLs", () => {
  const rows = [
    row("kmod", "debian"),
    row("unused", "debian"),
    row("linux-image-6", "security"),
    row("@koromix/koffi", "npm"),
  ];
  const trees = [treeOf({ a: "x" }, "kmod"), treeOf({ b: "x" }, "npm:@koromix/koffi")];
  expect(lockedParts(rows, trees, new Set(["linux-image-6"])).map(({ purl }) => purl)).toEqual([
    "pkg:deb/debian/kmod@1%3A2%2Bb1?arch=amd64&distro=trixie",
    "pkg:deb/debian/linux-image-6@1%3A2%2Bb1?arch=amd64&distro=trixie",
    "pkg:npm/%40koromix/koffi@1:2+b1",
  ]);
});

test("bundledParts finds the npm packages of a bundle once each", () => {
  const bundle =
    "// node_modules/@grpc/grpc-js/build/a.js\nx\n// node_modules/long/b.js\n// node_modules/long/c.js\n// node-agent/main.ts\n";
  expect(bundledParts(bundle, () => "1.0.0").map(({ name }) => name)).toEqual(["@grpc/grpc-js", "long"]);
});

test("renderSpdx is SPDX 2.3 with unique ids, one relationship a package, and no time of the build", () => {
  const parts = [
    { name: "libstdc++6", version: "1", purl: "pkg:deb/debian/libstdc%2B%2B6@1", sha256: "aa" },
    { name: "libstdc-6", version: "1", purl: "pkg:npm/x@1", sha256: undefined },
  ];
  const subject = { name: "slipway-os", version: "1", arch: "amd64", ukiSha256: "bb" };
  const document = JSON.parse(renderSpdx(subject, parts));
  expect(document.spdxVersion).toBe("SPDX-2.3");
  expect(document.creationInfo.created).toBe("1970-01-01T00:00:00Z");
  const ids = document.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
  expect(document.relationships).toHaveLength(3);
  expect(renderSpdx(subject, parts)).toBe(renderSpdx(subject, parts));
});
