import { expect, test } from "vitest";
import type { Offer } from "../../../boot-assets/image/apt.ts";
import { lockedFor } from "../../../boot-assets/image/kubernetes/packages.ts";
import { readLock, resolveLock } from "../../../boot-assets/image/lock.ts";
import { LOCKS, type LockName } from "../../../boot-assets/image/packages.ts";

const offer = (archive: Offer["archive"], name: string, version: string, depends = ""): Offer => ({
  archive,
  paragraph: new Map(
    Object.entries({
      package: name,
      version,
      depends,
      architecture: "amd64",
      filename: `pool/${name}_${version}.deb`,
      size: "10",
      sha256: "ab",
    }),
  ),
});
const OFFERS = [
  offer("debian", "kmod", "34.2-2"),
  offer("debian", "libssl3t64", "3.5.9-1~deb13u1"),
  offer("security", "libssl3t64", "3.5.7-1~deb13u3"),
  offer("debian", "linux-image-amd64", "6.12.107-1", "linux-image-6.12.107+deb13-amd64 (= 6.12.107-1)"),
  offer("security", "linux-image-amd64", "6.12.118-1", "linux-image-6.12.118+deb13-amd64 (= 6.12.118-1)"),
  offer("security", "linux-image-6.12.118+deb13-amd64", "6.12.118-1"),
  offer("debian", "linux-image-6.12.107+deb13-amd64", "6.12.107-1"),
];

test("resolveLock takes the newest of release and security, and a metapackage's kernel", () => {
  const rows = resolveLock(
    [
      { name: "kmod", keep: [] },
      { name: "libssl3t64", keep: [] },
      { name: "linux-image-amd64", keep: [], follow: /^linux-image-\d/ },
    ],
    OFFERS,
  );
  expect(rows.map(({ name, version, archive }) => [name, version, archive])).toEqual([
    ["kmod", "34.2-2", "debian"],
    ["libssl3t64", "3.5.9-1~deb13u1", "debian"],
    ["linux-image-6.12.118+deb13-amd64", "6.12.118-1", "security"],
  ]);
});

test("resolveLock names a package that the release lacks", () => {
  expect(() => resolveLock([{ name: "nonesuch", keep: [] }], OFFERS)).toThrow("Debian 13 has no package nonesuch");
});

for (const name of Object.keys(LOCKS) as LockName[]) {
  test(`lock/${name}.json has every wanted package, with hash and size`, () => {
    const { packages } = readLock(name);
    for (const { sha256, bytes, file } of packages) {
      expect(sha256, file).toMatch(/^[0-9a-f]{64}$/);
      expect(bytes, file).toBeGreaterThan(0);
      expect(file).not.toMatch(/^[a-z]+:/);
    }
    const names = packages.map((row) => row.name);
    for (const wanted of lockedFor(name, "full")) {
      expect(
        names.some((each) => each === wanted.name || wanted.follow?.test(each)),
        wanted.name,
      ).toBe(true);
    }
  });
}
