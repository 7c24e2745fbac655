// The age identity: the one key that opens what is sealed in dataDir. It comes from a systemd credential, else from a file
// outside dataDir, which the first start makes. Called by store.ts. docs/recover-the-identity.md is for its owner.
import { chmodSync, mkdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { SlipwayError } from "../contract/errors.ts";
import { createFile, fileFault } from "./open-file.ts";
import type { SecretsLog } from "./store.ts";

/** Name of the systemd credential (`LoadCredentialEncrypted=slipway-identity:…`). */
export const CREDENTIAL = "slipway-identity";

export type IdentityPlace = {
  dataDir: string;
  identityPath: string;
  /** `$CREDENTIALS_DIRECTORY`, when systemd set it. */
  credentialsDir: string | undefined;
  log: SecretsLog;
};
/** `secret` must go nowhere but into age; `path` is for messages. */
export type Identity = { path: string; secret: string; isNew: boolean };

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileFault(cause, path, "read");
  }
}

/** Follows links as far as the path exists. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realOf(parent), path.slice(parent.length));
  }
}

function assertOutside(place: IdentityPlace): void {
  const [inner, outer] = [realOf(resolve(place.identityPath)), realOf(resolve(place.dataDir))];
  if (!`${inner}/`.startsWith(`${outer}/`)) return;
  throw new SlipwayError(
    "BAD_CONFIG",
    `identity ${place.identityPath} is inside dataDir ${place.dataDir}: whoever copies dataDir would have the key that opens it`,
    { remedy: "Set `identity` in slipway.yaml to a path outside dataDir, and move the file there if it exists." },
  );
}

function tighten(path: string, log: SecretsLog): void {
  const { mode } = statSync(path);
  if ((mode & 0o077) === 0) return;
  chmodSync(path, 0o600);
  log.warn(`${path} could be read by others (mode ${(mode & 0o777).toString(8)}); now only its owner can.`);
}

/** The first line that is an identity; comments and empty lines are allowed, as age-keygen writes them. */
function parseIdentity(text: string, path: string): string {
  const line = text
    .split("\n")
    .map((l) => l.trim())
    .find((l) => l !== "" && !l.startsWith("#"));
  if (line !== undefined && /^AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]+$/.test(line)) return line;
  throw new SlipwayError("IDENTITY_WRONG", `${path} holds no age identity: a line "AGE-SECRET-KEY-1…" is expected`);
}

async function make(path: string, now: number): Promise<void> {
  const secret = await generateX25519Identity();
  const lines = [
    "# The identity of a Slipway appliance: it opens the sealed keys in dataDir/secrets.",
    "# Keep a copy where neither a fire nor a thief gets both it and dataDir (docs/recover-the-identity.md).",
    `# created: ${new Date(now).toISOString()}`,
    `# public key: ${await identityToRecipient(secret)}`,
    secret,
    "",
  ];
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  createFile(path, lines.join("\n"), 0o600);
}

/**
 * Reads the identity, or makes it when `isFirstStart`.
 * @param lost what cannot be opened without it, as the end of a sentence.
 * @throws IDENTITY_MISSING when something is sealed and there is none; IDENTITY_WRONG when the file holds none;
 *   BAD_CONFIG when it is inside dataDir; NO_PERMISSION, DISK_FULL.
 */
export async function openIdentity(
  place: IdentityPlace,
  isFirstStart: boolean,
  lost: string,
  now: number,
): Promise<Identity> {
  const credential = place.credentialsDir === undefined ? undefined : join(place.credentialsDir, CREDENTIAL);
  const given = credential === undefined ? undefined : readIfThere(credential);
  if (given !== undefined) return { path: credential!, secret: parseIdentity(given, credential!), isNew: false };
  assertOutside(place);
  const path = place.identityPath;
  let text = readIfThere(path);
  const isNew = text === undefined;
  if (text === undefined && !isFirstStart) {
    const also = credential === undefined ? "" : ` (nor ${credential})`;
    throw new SlipwayError("IDENTITY_MISSING", `identity ${path} is not there${also}. Without it is lost: ${lost}`);
  }
  try {
    if (text === undefined) await make(path, now);
    text ??= readIfThere(path)!;
    tighten(path, place.log);
  } catch (cause) {
    throw fileFault(cause, path, "written");
  }
  return { path, secret: parseIdentity(text, path), isNew };
}
