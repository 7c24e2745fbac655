import { expect, test } from "vitest";
import { compareVersions } from "../../../boot-assets/image/debian-version.ts";

/** Debian Policy 5.6.12, and pairs that the mirror really offers. Each is older than the next. */
const ASCENDING: readonly (readonly [string, string])[] = [
  ["1.0~rc1-1", "1.0-1"],
  ["1.0-1", "1.0-1+b1"],
  ["1.0-1", "1.0a-1"],
  ["9", "10"],
  ["6.12.107-1", "6.12.118-1"],
  ["6.12.90-2", "6.12.100-1"],
  ["257.13-1~deb13u1", "257.13-1"],
  ["3.5.7-1~deb13u3", "3.5.9-1~deb13u1"],
  ["2.41.5-0+deb13u1", "1:1.0-1"],
  ["1.0-1", "1.0-1.1"],
  ["1.21.1+git20250501.dad20602+dfsg-1", "1.21.1+git20250502.dad20602+dfsg-1"],
  ["1.0~~", "1.0~"],
];

for (const [older, newer] of ASCENDING) {
  test(`compareVersions: ${older} is older than ${newer}`, () => {
    expect(compareVersions(older, newer)).toBeLessThan(0);
    expect(compareVersions(newer, older)).toBeGreaterThan(0);
    expect(compareVersions(newer, newer)).toBe(0);
  });
}

test("compareVersions: leading zeros do not count", () => expect(compareVersions("1.01-1", "1.1-1")).toBe(0));
