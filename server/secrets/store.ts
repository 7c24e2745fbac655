// Secrets at rest: made once on the first start, sealed with age in dataDir/secrets, opened at every later start
// (design §2 row 14). Called by server/main.ts, and by the image build for signing. Nothing sealed is ever made anew
// while something sealed is there: a person decides what to give up (docs/recover-the-identity.md).
import { createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Decrypter, Encrypter, identityToRecipient } from "age-encryption";
import { SlipwayError } from "../contract/errors.ts";
import { keyFingerprint, parsePrivateKey } from "../contract/pki/key.ts";
import { type ClusterSecrets, openClusterSecrets } from "./open-cluster-secrets.ts";
import { fileFault, syncDirectory, writeSynced } from "./open-file.ts";
import { type Identity, openIdentity } from "./open-identity.ts";
import { type Authority, authorityOf, SECRET_NAMES, SECRETS, type Sealed, type SecretName } from "./secrets.ts";

type Say = (text: string, fields?: Readonly<Record<string, unknown>>) => void;
export type SecretsLog = { info: Say; warn: Say };

export type SecretsOptions = {
  dataDir: string;
  identityPath: string;
  log: SecretsLog;
  /** Default `$CREDENTIALS_DIRECTORY`; a `slipway-identity` in it goes before `identityPath`. */
  credentialsDir?: string | undefined;
  /** Milliseconds since 1970. */
  now?: () => number;
};

export type Secrets = {
  ca: Authority;
  /** SubjectPublicKeyInfo PEM: nodes get it at enrolment. */
  ownerPublicKeyPem: string;
  /** SHA-256 of the owner's public key, hex. */
  ownerFingerprint: string;
  /** Ed25519 over the bytes as they are: 64 bytes. */
  signManifest(bytes: Uint8Array): Uint8Array;
  /** Whether `signature` is the owner's over `bytes`. */
  isOwnersSignature(bytes: Uint8Array, signature: Uint8Array): boolean;
  clusters: ClusterSecrets;
};

const sealedFile = (dir: string, name: SecretName): string => join(dir, `${name}.age`);
const lossOf = (names: readonly SecretName[]): string => names.map((name) => SECRETS[name].loss).join("; ");

async function seal(secret: Sealed, identity: Identity): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity.secret));
  return encrypter.encrypt(JSON.stringify(secret));
}

/** @throws IDENTITY_WRONG when the identity is another's, SECRETS_DAMAGED when the file is not what was written. */
async function unseal(dir: string, name: SecretName, identity: Identity): Promise<Sealed> {
  const path = sealedFile(dir, name);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw fileFault(cause, path, "read");
  }
  try {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity.secret);
    return JSON.parse(await decrypter.decrypt(bytes, "text")) as Sealed;
  } catch (cause) {
    // The cause stays out: a parser's message may quote what it read.
    const isWrong = cause instanceof Error && /no identity matched/.test(cause.message);
    if (isWrong)
      throw new SlipwayError(
        "IDENTITY_WRONG",
        `identity ${identity.path} does not open ${path}. Without the right one is lost: ${SECRETS[name].loss}`,
      );
    throw new SlipwayError(
      "SECRETS_DAMAGED",
      `${path} is damaged (${bytes.length} bytes). With it is lost ${SECRETS[name].loss}`,
    );
  }
}

/** All at once under another name, then one rename: a power cut leaves all secrets or none. */
async function makeAll(dir: string, identity: Identity): Promise<void> {
  // 0711, as openDataDir makes it: the admin group must pass through to admin.sock.
  if (mkdirSync(dirname(dir), { recursive: true }) !== undefined) chmodSync(dirname(dir), 0o711);
  const staging = `${dir}.${process.pid}.new`;
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { mode: 0o700 });
  for (const name of SECRET_NAMES) {
    const secret = SECRETS[name].make(randomBytes);
    writeSynced(sealedFile(staging, name), await seal(secret, identity), 0o600);
    writeSynced(join(staging, SECRETS[name].publicFile), SECRETS[name].publicHalf(secret), 0o644);
  }
  syncDirectory(staging);
  try {
    renameSync(staging, dir);
    syncDirectory(dirname(dir));
  } catch (cause) {
    rmSync(staging, { recursive: true });
    // Another process was first: its secrets are as good, and are read below.
    if (!["ENOTEMPTY", "EEXIST"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
  }
}

function assertComplete(dir: string): void {
  const missing = SECRET_NAMES.filter((name) => !existsSync(sealedFile(dir, name)));
  if (missing.length === 0) return;
  const files = missing.map((name) => sealedFile(dir, name)).join(", ");
  throw new SlipwayError(
    "SECRETS_DAMAGED",
    `${files} is not there, yet other sealed files are. With it is lost ${lossOf(missing)}`,
  );
}

/** The public halves are for people and programs to read; what is sealed is the truth. */
function restorePublicHalf(dir: string, name: SecretName, secret: Sealed, log: SecretsLog): void {
  const path = join(dir, SECRETS[name].publicFile);
  const wanted = SECRETS[name].publicHalf(secret);
  if (existsSync(path) && readFileSync(path, "utf8") === wanted) return;
  log.warn(`${path} was missing or not what is sealed beside it; it was written anew.`);
  rmSync(path, { force: true });
  writeSynced(path, wanted, 0o644);
}

async function readAll(dir: string, identity: Identity, log: SecretsLog): Promise<Record<SecretName, Sealed>> {
  const found: Partial<Record<SecretName, Sealed>> = {};
  for (const name of SECRET_NAMES) {
    const secret = await unseal(dir, name, identity);
    restorePublicHalf(dir, name, secret, log);
    found[name] = secret;
  }
  return found as Record<SecretName, Sealed>;
}

/** @throws NO_PERMISSION for a directory of another user. */
function isEmpty(dir: string): boolean {
  try {
    return !existsSync(dir) || readdirSync(dir).length === 0;
  } catch (cause) {
    throw fileFault(cause, dir, "read");
  }
}

/**
 * Opens what is sealed in `dataDir`, and on the first start makes it.
 * @throws IDENTITY_MISSING, IDENTITY_WRONG, SECRETS_DAMAGED (each says what is lost), BAD_CONFIG for an identity inside
 *   dataDir, NO_PERMISSION, DISK_FULL. Nothing is changed by a fault.
 */
export async function openSecrets(options: SecretsOptions): Promise<Secrets> {
  const { dataDir, identityPath, log } = options;
  const credentialsDir = options.credentialsDir ?? process.env.CREDENTIALS_DIRECTORY;
  const dir = join(dataDir, "secrets");
  const isFirstStart = isEmpty(dir);
  const place = { dataDir, identityPath, credentialsDir, log };
  const identity = await openIdentity(place, isFirstStart, lossOf(SECRET_NAMES), (options.now ?? Date.now)());
  try {
    if (isFirstStart) await makeAll(dir, identity);
    assertComplete(dir);
    const secrets = await readAll(dir, identity, log);
    if (isFirstStart) tellFirstStart(dir, identity, log);
    return serve(secrets, openClusterSecrets(dir, identity));
  } catch (cause) {
    throw fileFault(cause, dir, "read and written");
  }
}

function tellFirstStart(dir: string, identity: Identity, log: SecretsLog): void {
  log.warn(
    identity.isNew
      ? `The appliance's identity was made: ${identity.path}. Copy it to a safe place that is not dataDir: without it the sealed keys cannot be opened.`
      : `${dir} was empty: a new certificate authority and a new owner's key were made, sealed for ${identity.path}. Machines enrolled with earlier keys must enrol again.`,
  );
}

function serve({ ca, owner }: Record<SecretName, Sealed>, clusters: ClusterSecrets): Secrets {
  const ownerKey = parsePrivateKey(owner.privateKey);
  const ownerPublicKey = createPublicKey(ownerKey);
  return {
    clusters,
    ca: authorityOf(ca, randomBytes),
    ownerPublicKeyPem: SECRETS.owner.publicHalf(owner),
    ownerFingerprint: keyFingerprint(ownerPublicKey),
    signManifest: (bytes) => sign(null, bytes, ownerKey),
    isOwnersSignature: (bytes, signature) => verify(null, bytes, ownerPublicKey, signature),
  };
}
