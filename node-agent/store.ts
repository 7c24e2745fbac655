// What the agent keeps between its own restarts, in /run/slipway: memory, gone with the power. Edge: files, mode 0600.
// Ticket in, key and certificate out; the ticket's file goes away once it is spent.
import type { KeyObject } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatPrivateKey, generateKey, parsePrivateKey } from "../server/contract/pki/key.ts";
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
};

/** @param dir `/run/slipway`; the initramfs leaves `ticket.json` there. */
export function openStore(dir: string): Store {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const at = (name: string) => join(dir, name);
  let key: KeyObject | undefined;
  return {
    readTicket: () => {
      const text = readIfThere(at("ticket.json"));
      return text === undefined ? undefined : parseTicket(text);
    },
    removeTicket: () => rmSync(at("ticket.json"), { force: true }),
    key: () => {
      key ??= loadKey(at("key.pem"));
      return key;
    },
    readIdentity: () => readIdentity(at("identity.json")),
    saveIdentity: (identity) => writeSecret(at("identity.json"), `${JSON.stringify(identity, null, 2)}\n`),
  };
}

function loadKey(path: string): KeyObject {
  const pem = readIfThere(path);
  if (pem !== undefined) {
    try {
      return parsePrivateKey(pem);
    } catch {
      // A key that cannot be read is no key: with a new one the machine enrols again, or says that it needs a new ticket.
    }
  }
  const made = generateKey("ed25519");
  writeSecret(path, formatPrivateKey(made));
  return made;
}

const IDENTITY_FIELDS = ["machineId", "server", "caFingerprint", "mac", "certificate", "caCertificate"] as const;

/** An identity that cannot be read counts as none: the ticket may still be there, and says so on the screen if not. */
function readIdentity(path: string): Identity | undefined {
  try {
    const identity = JSON.parse(readFileSync(path, "utf8")) as Identity;
    return IDENTITY_FIELDS.every((field) => typeof identity[field] === "string") ? identity : undefined;
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whole or not at all: a process killed in between leaves the old file. */
function writeSecret(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
