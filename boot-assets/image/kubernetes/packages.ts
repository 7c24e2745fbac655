// Debian packages of variant `full` whose files are no part of the image as they are: something is made from them. Locked, fetched
// and named in the SBOM like those of ../packages.ts, which the base image is made from as well and so is not changed for full's
// sake. Called by ../lock.ts and ../fetch-packages.ts.
import { type LockName, type Variant, type Wanted, wantedOf } from "../packages.ts";

/** Mozilla's authorities, one PEM file each (certificates.ts). */
export const CERTIFICATES = {
  name: "ca-certificates",
  keep: ["usr/share/ca-certificates/mozilla/*.crt"],
  isFullOnly: true,
} as const satisfies Wanted;

/** All rows of a lock that a variant needs, in the lock's order. */
export const lockedFor = (lock: LockName, variant: Variant): readonly Wanted[] => [
  ...wantedOf(lock, variant),
  ...(lock === "tools" || variant === "base" ? [] : [CERTIFICATES]),
];
