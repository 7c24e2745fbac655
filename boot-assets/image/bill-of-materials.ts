// What the image is made of, for manifest.json and as SPDX 2.3 (sbom.spdx.json). Pure: times are fixed, so that two builds
// of the same inputs have the same bytes.
import type { Component } from "./kubernetes/versions.ts";
import type { LockedPackage } from "./lock.ts";
import type { Tree } from "./tree.ts";

export type Part = { name: string; version: string; purl: string; sha256: string | undefined };

/** Debian and npm packages of the lock that gave at least one file to a tree, or that are named in `always`. */
export function lockedParts(
  rows: readonly LockedPackage[],
  trees: readonly Tree[],
  always: ReadonlySet<string>,
): Part[] {
  const used = new Set(trees.flatMap((tree) => [...tree.values()].map(({ from }) => from)));
  return rows
    .filter((row) => used.has(row.archive === "npm" ? `npm:${row.name}` : row.name) || always.has(row.name))
    .map(({ name, version, arch, archive, sha256 }) => ({
      name,
      version,
      sha256,
      purl:
        archive === "npm"
          ? `pkg:npm/${name.replace("@", "%40")}@${version}`
          : `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}&distro=trixie`,
    }));
}

/** npm packages whose sources are in the agent's bundle: esbuild writes each file's path as a comment. */
export function bundledParts(bundle: string, versionOf: (name: string) => string): Part[] {
  const names = new Set(
    [...bundle.matchAll(/^\/\/ node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm)].map(([, name]) => name!),
  );
  return [...names].sort().map((name) => {
    const version = versionOf(name);
    return { name, version, sha256: undefined, purl: `pkg:npm/${name.replace("@", "%40")}@${version}` };
  });
}

/** What is compiled from source for a node of Kubernetes. */
export const compiledParts = (components: readonly Component[]): Part[] =>
  components.map(({ name, module, version }) => {
    return { name, version, sha256: undefined, purl: `pkg:golang/${module}@v${version}` };
  });

export type Subject = { name: string; version: string; arch: string; ukiSha256: string };

/** SPDX 2.3 as JSON (https://spdx.github.io/spdx-spec/v2.3/). */
export function renderSpdx(subject: Subject, parts: readonly Part[]): string {
  const root = "SPDXRef-image";
  const packages = parts.map((part, n) => ({
    SPDXID: `SPDXRef-${n + 1}-${part.name.replaceAll(/[^A-Za-z0-9.-]/g, "-")}`,
    name: part.name,
    versionInfo: part.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: "NOASSERTION",
    copyrightText: "NOASSERTION",
    ...(part.sha256 === undefined ? {} : { checksums: [{ algorithm: "SHA256", checksumValue: part.sha256 }] }),
    externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: part.purl }],
  }));
  const image = {
    SPDXID: root,
    name: subject.name,
    versionInfo: subject.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: "NOASSERTION",
    copyrightText: "NOASSERTION",
    primaryPackagePurpose: "OPERATING-SYSTEM",
    checksums: [{ algorithm: "SHA256", checksumValue: subject.ukiSha256 }],
  };
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `${subject.name}-${subject.version}-${subject.arch}`,
    documentNamespace: `urn:slipway:image:${subject.ukiSha256}`,
    creationInfo: { created: "1970-01-01T00:00:00Z", creators: ["Tool: slipway-assets"] },
    packages: [image, ...packages],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: root },
      ...packages.map(({ SPDXID }) => ({
        spdxElementId: root,
        relationshipType: "CONTAINS",
        relatedSpdxElement: SPDXID,
      })),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
