// The agent's files: what it keeps, with which mode, and what it makes of damaged ones.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Identity, openStore as openStoreAt } from "../../node-agent/store.ts";
import { keyFingerprint } from "../../server/contract/pki/key.ts";

let dir: string;
const said: string[] = [];
const openStore = (path: string) => openStoreAt({ run: path, keep: path, say: (text) => void said.push(text) });
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-store-"));
});
afterEach(() => rmSync(dir, { recursive: true }));
const mode = (name: string) => statSync(join(dir, name)).mode & 0o777;
const IDENTITY: Identity = {
  ...{ machineId: "m1", server: "192.0.2.1:8443", caFingerprint: "ab", mac: "52:54:00:12:34:56" },
  ...{ certificate: "c", caCertificate: "ca", ownerPublicKey: "" },
};

test("openStore makes its directory for root alone", () => {
  openStore(join(dir, "run", "slipway"));
  expect(mode("run/slipway")).toBe(0o700);
});

test("the key is made once, for root alone, and found again", () => {
  const first = keyFingerprint(openStore(dir).key());
  expect(keyFingerprint(openStore(dir).key())).toBe(first);
  expect(mode("key.pem")).toBe(0o600);
});

test("a damaged key is replaced", () => {
  writeFileSync(join(dir, "key.pem"), "-----BEGIN PRIVATE KEY-----\ntorn");
  const made = keyFingerprint(openStore(dir).key());
  expect(keyFingerprint(openStore(dir).key())).toBe(made);
});

test("an identity is kept whole, and a damaged one counts as none", () => {
  const store = openStore(dir);
  expect(store.readIdentity()).toBeUndefined();
  store.saveIdentity(IDENTITY);
  expect(store.readIdentity()).toEqual(IDENTITY);
  expect(mode("identity.json")).toBe(0o600);
  expect(existsSync(join(dir, "identity.json.new"))).toBe(false);
  for (const text of ["", "{", "null", '{"machineId":"m1"}']) {
    writeFileSync(join(dir, "identity.json"), text);
    expect(store.readIdentity()).toBeUndefined();
  }
});

test("the ticket is read until it is removed", () => {
  const store = openStore(dir);
  expect(store.readTicket()).toBeUndefined();
  writeFileSync(join(dir, "ticket.json"), "nonsense");
  expect(store.readTicket()?.kind).toBe("invalid");
  store.removeTicket();
  store.removeTicket();
  expect(store.readTicket()).toBeUndefined();
});
