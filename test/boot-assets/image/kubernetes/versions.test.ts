// One table of versions, and all that must agree with it: go.mod, the linker's variables, the page, the machine configs.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { linkerVariables } from "../../../../boot-assets/image/kubernetes/go-command.ts";
import { COMPONENTS, TOOLCHAIN, versionOf } from "../../../../boot-assets/image/kubernetes/versions.ts";

const goMod = readFileSync("boot-assets/image/kubernetes/go.mod", "utf8");
const page = readFileSync("docs/kubernetes-versions.md", "utf8");
const required = (module: string) =>
  new RegExp(`^\\s*(?:require )?${module.replaceAll(".", "\\.")} (v\\S+)`, "m").exec(goMod)?.[1];

for (const { name, module, version } of COMPONENTS) {
  test(`${name} ${version} is what go.mod requires and the page shows`, () => {
    expect(required(module)).toBe(`v${version}`);
    expect(page).toContain(`| ${name} | ${version} | \`${module}\` |`);
  });
}

test("the parts of Kubernetes are of the same release", () => {
  const release = versionOf("Kubernetes").replace(/^1\./, "v0.");
  const replaced = [...goMod.matchAll(/^\t(k8s\.io\/\S+) => (\S+) (\S+)$/gm)];
  expect(replaced.length).toBeGreaterThan(25);
  for (const [, from, to, version] of replaced) expect([to, version]).toEqual([from, release]);
  for (const module of ["k8s.io/client-go", "k8s.io/component-base", "k8s.io/kubectl"]) {
    expect(required(module)).toBe(release);
  }
});

test("etcd's modules are of one release", () => {
  const versions = [...goMod.matchAll(/^\tgo\.etcd\.io\/etcd\/\S+ (\S+)/gm)].map((m) => m[1]);
  expect(new Set(versions)).toEqual(new Set([`v${versionOf("etcd")}`]));
});

test("go.mod names the toolchain that is fetched", () => {
  expect(/^toolchain go(\S+)$/m.exec(goMod)?.[1]).toBe(TOOLCHAIN.version);
  expect(page).toContain(`| Go toolchain | ${TOOLCHAIN.version} |`);
  for (const sum of Object.values(TOOLCHAIN.sums)) expect(sum).toMatch(/^h1:[A-Za-z0-9+/]{43}=$/);
});

test("Kubernetes calls itself by its version, without a placeholder", () => {
  const variables = linkerVariables();
  for (const at of ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]) {
    expect(variables[`${at}.gitVersion`]).toBe(`v${versionOf("Kubernetes")}`);
    expect(`${variables[`${at}.gitMajor`]}.${variables[`${at}.gitMinor`]}`).toBe(
      versionOf("Kubernetes").split(".").slice(0, 2).join("."),
    );
  }
  expect(JSON.stringify(variables)).not.toContain("$Format");
  expect(JSON.stringify(variables)).not.toContain(" ");
});
