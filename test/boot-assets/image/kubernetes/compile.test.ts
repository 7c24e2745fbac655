import { expect, test } from "vitest";
import { assertNoHostPath, compileLine, duration } from "../../../../boot-assets/image/kubernetes/compile.ts";

test("the progress line names what, how far and how long", () => {
  expect(compileLine("amd64", 812, 2391, 185_400)).toBe(
    "Kubernetes, amd64: 812 packages compiled, at most 1579 left, 3 min 5 s",
  );
  expect(duration(59_400)).toBe("59 s");
  expect(duration(59_600)).toBe("1 min 0 s");
});

test("a program that names a directory of the host is refused", () => {
  const bytes = Buffer.from("\0\0/var/cache/x/go/mod/k8s.io\0");
  expect(() => assertNoHostPath("kubernetes", bytes, ["/srv/tree", "/var/cache/x/go"])).toThrow(
    "the program kubernetes holds the path /var/cache/x/go of this host",
  );
  expect(() => assertNoHostPath("kubernetes", bytes, ["/srv/tree"])).not.toThrow();
});
