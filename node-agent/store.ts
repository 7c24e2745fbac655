// What lets the agent go on after a restart: ticket, key, identity, and the work in hand. Edge: files, mode 0600. A netbooted
// machine has all of it in /run/slipway, gone with the power; an installed one keeps key and identity on STATE.
import type { KeyObject } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { formatPrivateKey, generateKey, parsePrivateKey } from "../server/contract/pki/key.ts";
import { type Job, parseJob, parseTakenVerb, type TakenVerb } from "./job.ts";
import { type KeptFile, openKeptFile, readIfThere } from "./open-kept-file.ts";
import { parseTicket, type TicketFile } from "./ticket.ts";

/** All that a restarted agent needs to go on without a ticket. Certificates are PEM. */
export type Identity = {
  machineId: string;
  server: string;
  caFingerprint: string;
  mac: string;
  certificate: string;
  caCertificate: string;
  /** PEM; empty when the appliance has none yet. */
  ownerPublicKey: string;
};

export type Store = {
  /** undefined when there is no ticket file. */
  readTicket(): TicketFile | undefined;
  removeTicket(): void;
  /** The machine's private key: made once, kept over restarts, because a ticket binds to it. */
  key(): KeyObject;
  readIdentity(): Identity | undefined;
  saveIdentity(identity: Identity): void;
  /** The install in hand; undefined between installs. In memory on every platform: a power cut begins it anew. */
  readJob(): Job | undefined;
  saveJob(job: Job | undefined): void;
  /** A verb that the appliance was told is taken, and that is not done yet. */
  readVerb(): TakenVerb | undefined;
  saveVerb(verb: TakenVerb | undefined): void;
};

export type StorePlaces = {
  /** `/run/slipway`; the initramfs leaves `ticket.json` there. */
  run: string;
  /** Where key and identity are: STATE on an installed machine. */
  keep: string;
  /** Told of damaged files, in sentences. */
  say: (text: string) => void;
};

/** Opens it; both directories are made when missing. */
export function openStore({ run, keep, say }: StorePlaces): Store {
  for (const dir of [run, keep]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const identity = openKeptFile(join(keep, "identity.json"), parseIdentity, say);
  const job = openKeptFile(join(run, "job.json"), parseJob, say);
  const verb = openKeptFile(join(run, "verb.json"), parseTakenVerb, say);
  const ticketPath = join(run, "ticket.json");
  let key: KeyObject | undefined;
  return {
    readTicket: () => {
      const text = readIfThere(ticketPath);
      return text === undefined ? undefined : parseTicket(text);
    },
    removeTicket: () => removeTicket(ticketPath),
    key: () => {
      key ??= loadKey(openKeptFile(join(keep, "key.pem"), parseKey, say));
      return key;
    },
    readIdentity: () => identity.read(),
    saveIdentity: (value) => identity.write(format(value)),
    readJob: () => job.read(),
    saveJob: (value) => (value === undefined ? job.remove() : job.write(format(value))),
    readVerb: () => verb.read(),
    saveVerb: (value) => (value === undefined ? verb.remove() : verb.write(format(value))),
  };
}

const format = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** A container's is bound there by the host, who takes it away himself. */
function removeTicket(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EBUSY" && code !== "EROFS") throw error;
  }
}

/** A key that cannot be read is no key: with a new one the machine enrols again, or says that it needs a new ticket. */
function loadKey(file: KeptFile<KeyObject>): KeyObject {
  const found = file.read();
  if (found !== undefined) return found;
  const made = generateKey("ed25519");
  file.write(formatPrivateKey(made));
  return made;
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return parsePrivateKey(pem);
  } catch {
    return undefined;
  }
}

const IDENTITY_FIELDS = ["machineId", "server", "caFingerprint", "mac", "certificate", "caCertificate"] as const;

/** An identity that cannot be read counts as none: the ticket may still be there, and says so on the screen if not. */
function parseIdentity(text: string): Identity | undefined {
  try {
    const identity = JSON.parse(text) as Identity;
    return IDENTITY_FIELDS.every((field) => typeof identity[field] === "string") ? identity : undefined;
  } catch {
    return undefined;
  }
}
