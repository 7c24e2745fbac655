// The public certificate authorities that containerd trusts when it pulls: /etc/ssl/certs/ca-certificates.crt, where Go's
// crypto/x509 looks first. Debian makes this file on the installed system (update-ca-certificates, run by the package's postinst);
// no maintainer script runs here, so it is made of the package's files. Called by ../build.ts.
import { SlipwayError } from "../../../server/contract/errors.ts";
import { unpack } from "../deb.ts";
import type { Lock } from "../lock.ts";
import { sortedPaths, type Tree } from "../tree.ts";
import { CERTIFICATES } from "./packages.ts";

export const BUNDLE_PATH = "etc/ssl/certs/ca-certificates.crt";

const PEM = /^-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----\s*$/;

/**
 * The bundle as update-ca-certificates writes it: each certificate's PEM text, in the order of the files' names, each on lines of
 * its own.
 *
 * @param files the package's files.
 * @throws SlipwayError INTERNAL for a file that is not one certificate, or when there is none: nodes would trust nobody.
 */
export function composeBundle(files: Tree): Uint8Array {
  const texts = sortedPaths(files).flatMap((path) => {
    const entry = files.get(path)!;
    if (entry.kind === "dir") return [];
    const text = entry.kind === "file" ? Buffer.from(entry.bytes).toString("latin1") : "";
    if (!PEM.test(text)) {
      throw new SlipwayError("INTERNAL", `/${path} of ${CERTIFICATES.name} is not one certificate in PEM`);
    }
    return [text.endsWith("\n") ? text : `${text}\n`];
  });
  if (texts.length === 0) {
    throw new SlipwayError("INTERNAL", `${CERTIFICATES.name} has no file ${CERTIFICATES.keep.join(", ")}`);
  }
  return Buffer.from(texts.join(""), "latin1");
}

/** @returns what the image gets: the bundle. It is the package's by name, so that the SBOM has it. */
export async function certificatesTree(cacheDir: string, lock: Lock): Promise<Tree> {
  const row = lock.packages.find(({ name }) => name === CERTIFICATES.name);
  if (row === undefined) {
    throw new SlipwayError("INTERNAL", `the lock has no ${CERTIFICATES.name}; run \`npm run assets:update\``);
  }
  const bytes = composeBundle(await unpack(cacheDir, row, CERTIFICATES.keep));
  return new Map([[BUNDLE_PATH, { kind: "file", mode: 0o644, bytes, from: CERTIFICATES.name }]]);
}
