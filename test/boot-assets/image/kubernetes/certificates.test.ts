// The bundle of certificate authorities: the same bytes whatever the order of the files, whole, and of full alone.
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { lockedParts } from "../../../../boot-assets/image/bill-of-materials.ts";
import { rowsFor } from "../../../../boot-assets/image/fetch-packages.ts";
import { isInput } from "../../../../boot-assets/image/inputs.ts";
import { BUNDLE_PATH, certificatesTree, composeBundle } from "../../../../boot-assets/image/kubernetes/certificates.ts";
import { CERTIFICATES, lockedFor } from "../../../../boot-assets/image/kubernetes/packages.ts";
import { readLock } from "../../../../boot-assets/image/lock.ts";
import { ARCHES, wantedOf } from "../../../../boot-assets/image/packages.ts";
import { globToRegExp, type Tree } from "../../../../boot-assets/image/tree.ts";
import { BUNDLE } from "../../../server/contract/machine-config/sample.ts";

const DIR = "usr/share/ca-certificates/mozilla";
const CA = BUNDLE.certs.k8s.crt;
const OTHER = BUNDLE.certs.etcd.crt;
const files = (...named: [string, string][]): Tree =>
  new Map(
    named.map(([name, text]) => [
      `${DIR}/${name}.crt`,
      { kind: "file", mode: 0o644, bytes: Buffer.from(text), from: "ca-certificates" },
    ]),
  );
const textOf = (tree: Tree) => Buffer.from(composeBundle(tree)).toString();

test("composeBundle takes the files by their names, whatever order they come in", () => {
  const [a, b] = [`${CA.trim()}\n`, `${OTHER.trim()}\n`];
  expect(textOf(files(["Z_Root", a], ["A_Root", b]))).toBe(b + a);
  expect(textOf(files(["A_Root", b], ["Z_Root", a]))).toBe(b + a);
});

test("composeBundle begins each certificate on a line of its own", () => {
  const blocks = textOf(files(["A", CA.trim()], ["B", OTHER.trim()])).match(
    /^-----BEGIN[\s\S]+?^-----END CERTIFICATE-----$/gm,
  );
  expect(blocks!.map((pem) => new X509Certificate(pem).ca)).toEqual([true, true]);
});

test.each([
  ["no file at all", files(), /has no file usr\/share\/ca-certificates\/mozilla\/\*\.crt/],
  ["an empty file", files(["A", CA], ["B", ""]), /B\.crt of ca-certificates is not one certificate in PEM/],
  ["a private key", files(["A", CA.replaceAll("CERTIFICATE", "PRIVATE KEY")]), /A\.crt .* is not one certificate/],
  ["two certificates in a file", files(["A", CA + OTHER]), /A\.crt .* is not one certificate/],
])("composeBundle refuses %s", (_, tree, says) => {
  expect(() => composeBundle(tree)).toThrow(says);
});

test("certificatesTree names the lock that lacks the package", async () => {
  await expect(certificatesTree("/nonesuch", { schema: 1, packages: [] })).rejects.toThrow(
    "the lock has no ca-certificates; run `npm run assets:update`",
  );
});

for (const arch of ARCHES) {
  test(`${arch}: the authorities are locked for full, are in its SBOM, and no input of base`, () => {
    const lock = readLock(arch);
    const names = (variant: "base" | "full") => rowsFor(arch, lock, variant).map(({ name }) => name);
    expect(names("full")).toContain("ca-certificates");
    expect(names("base")).not.toContain("ca-certificates");
    const bundle: Tree = new Map([
      [BUNDLE_PATH, { kind: "file", mode: 0o644, bytes: Buffer.from(CA), from: CERTIFICATES.name }],
    ]);
    expect(lockedParts(lock.packages, [bundle], new Set())).toMatchObject([{ name: "ca-certificates" }]);
    expect(lockedFor(arch, "base")).toEqual(wantedOf(arch, "base"));
    expect(lockedFor("tools", "full")).toEqual(wantedOf("tools", "full"));
  });
}

test("the recipe of the bundle is an input of full, and none of base", () => {
  for (const name of ["certificates", "packages"]) {
    const file = `boot-assets/image/kubernetes/${name}.ts`;
    expect([isInput(file, "full"), isInput(file, "base")]).toEqual([true, false]);
  }
  expect(isInput("boot-assets/image/packages.ts", "base")).toBe(true);
  expect(isInput("boot-assets/image/kubernetes/build.ts", "full")).toBe(false);
});

test("Mozilla's authorities are kept, not what else the package has", () => {
  const kept = (path: string) => CERTIFICATES.keep.some((glob) => globToRegExp(glob).test(path));
  expect(kept(`${DIR}/ISRG_Root_X1.crt`)).toBe(true);
  expect(kept("usr/sbin/update-ca-certificates")).toBe(false);
});
