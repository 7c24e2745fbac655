// The secrets bundle of each cluster: made when the cluster is created, sealed for the appliance's identity in
// dataDir/secrets/clusters/NAME.age, opened when a config or a kubeconfig is made. Never overwritten: what lies in the way is
// moved aside, sealed as it is. store.ts opens it; server/cluster is given it as a port. Edge.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Decrypter, Encrypter, identityToRecipient } from "age-encryption";
import { SlipwayError } from "../contract/errors.ts";
import { formatSecretsBundle, parseSecretsBundle } from "../contract/machine-config/bundle-file.ts";
import { generateSecretsBundle, type SecretsBundle } from "../contract/machine-config/secrets-bundle.ts";
import { generateTalosKey, type TalosKeyKind } from "../contract/pki/talos-key.ts";
import { createFile, fileFault, syncDirectory } from "./open-file.ts";
import type { Identity } from "./open-identity.ts";
import { generateRsaKey } from "./run-key.ts";

/** All that the rest of the appliance may do with clusters' secrets. What it returns must go nowhere but into a config. */
export type ClusterSecrets = {
  /**
   * Makes and seals a new bundle, whole on disk when the promise resolves. One of the same name that is there already, of a
   * cluster that was deleted or never came to be, is moved aside.
   * @param now milliseconds since 1970. @throws DISK_FULL, DISK_FAILED, NO_PERMISSION.
   */
  create(cluster: string, now: number): Promise<SecretsBundle>;
  /** @throws SECRETS_DAMAGED when it is missing, damaged or another cluster's; IDENTITY_WRONG. */
  open(cluster: string): Promise<SecretsBundle>;
  /** Moves the bundle of a deleted cluster aside: a person may still want it. @returns its new path; undefined: none was there. */
  retire(cluster: string, now: number): string | undefined;
};

/** A name that could lead out of the directory never comes from the inventory; it is refused all the same. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const HEADER = "# Secrets of the Slipway cluster ";

export function openClusterSecrets(secretsDir: string, identity: Identity): ClusterSecrets {
  const dir = join(secretsDir, "clusters");
  const opened = new Map<string, SecretsBundle>();
  const pathOf = (cluster: string): string => {
    if (NAME.test(cluster)) return join(dir, `${cluster}.age`);
    throw new SlipwayError("BAD_REQUEST", `${JSON.stringify(cluster)} is no name of a cluster`);
  };
  const retire = (cluster: string, now: number): string | undefined => {
    opened.delete(cluster);
    const path = pathOf(cluster);
    if (!existsSync(path)) return undefined;
    const aside = join(dir, `${cluster}.${new Date(now).toISOString().replace(/[:.]/g, "-")}.retired.age`);
    renameSync(path, aside);
    syncDirectory(dir);
    return aside;
  };
  return {
    retire,
    async create(cluster, now) {
      const path = pathOf(cluster);
      const bundle = await generateBundle(now);
      const sealed = await seal(`${HEADER}${cluster}\n${formatSecretsBundle(bundle)}`, identity);
      try {
        if (mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined) syncDirectory(secretsDir);
        retire(cluster, now);
        if (!createFile(path, sealed, 0o600))
          throw new SlipwayError("CONFLICT", `${path} was made by another process just now`);
      } catch (cause) {
        throw fileFault(cause, path, "written");
      }
      opened.set(cluster, bundle);
      return bundle;
    },
    async open(cluster) {
      const bundle = opened.get(cluster) ?? (await unseal(pathOf(cluster), cluster, identity));
      opened.set(cluster, bundle);
      return bundle;
    },
  };
}

/** A node whose time server is a little behind the appliance's clock must not take its cluster's CAs for not valid yet. */
const BACKDATE_MS = 86_400_000;

/** RSA 4096 takes seconds: it is made beside the event loop, so that DHCP is answered meanwhile. */
async function generateBundle(now: number): Promise<SecretsBundle> {
  const rsa = await generateRsaKey();
  const generateKey = (kind: TalosKeyKind) => (kind === "rsa4096" ? rsa : generateTalosKey(kind));
  return generateSecretsBundle({ randomBytes, generateKey, now: new Date(now - BACKDATE_MS) });
}

async function seal(text: string, identity: Identity): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity.secret));
  return encrypter.encrypt(text);
}

const lossOf = (cluster: string): string =>
  `the secrets of cluster ${cluster}: its running nodes go on, but no machine can join and no kubeconfig can be made`;

async function unseal(path: string, cluster: string, identity: Identity): Promise<SecretsBundle> {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw fileFault(cause, path, "read");
    throw new SlipwayError("SECRETS_DAMAGED", `${path} is not there. With it is lost: ${lossOf(cluster)}`);
  }
  const text = await decrypt(bytes, path, cluster, identity);
  const [head = ""] = text.split("\n", 1);
  if (head !== HEADER + cluster) {
    const whose = head.startsWith(HEADER) ? `the cluster ${head.slice(HEADER.length)}` : "something else";
    throw new SlipwayError(
      "SECRETS_DAMAGED",
      `${path} holds the secrets of ${whose}, expected those of cluster ${cluster}`,
    );
  }
  const parsed = parseSecretsBundle(text);
  if (parsed.kind === "bundle") return parsed.bundle;
  // No fault quotes a secret.
  const { path: at, message } = parsed.faults[0]!;
  throw new SlipwayError("SECRETS_DAMAGED", `${path} is no secrets bundle: ${at}: ${message}`);
}

async function decrypt(bytes: Uint8Array, path: string, cluster: string, identity: Identity): Promise<string> {
  try {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity.secret);
    return await decrypter.decrypt(bytes, "text");
  } catch (cause) {
    // The cause stays out: a parser's message may quote what it read.
    if (cause instanceof Error && /no identity matched/.test(cause.message))
      throw new SlipwayError(
        "IDENTITY_WRONG",
        `identity ${identity.path} does not open ${path}. Without the right one is lost: ${lossOf(cluster)}`,
      );
    throw new SlipwayError(
      "SECRETS_DAMAGED",
      `${path} is damaged (${bytes.length} bytes). With it is lost: ${lossOf(cluster)}`,
    );
  }
}
