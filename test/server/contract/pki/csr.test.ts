// Certificate requests: ours before strangers, strangers' before us, and forged ones.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "reflect-metadata";
import * as peculiar from "@peculiar/x509";
import { afterAll, expect, test } from "vitest";
import { createCsr, parseCsr } from "../../../../server/contract/pki/csr.ts";
import { generateKey, type KeyKind, keyFingerprint } from "../../../../server/contract/pki/key.ts";
import { formatPem, parsePem } from "../../../../server/contract/pki/pem.ts";

const dir = mkdtempSync(join(tmpdir(), "slipway-csr-"));
afterAll(() => rmSync(dir, { recursive: true }));
const openssl = (...args: string[]): string => execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });
const SUBJECT = { organizations: ["slipway:machine"], commonName: "52:54:00:12:34:56" };

for (const kind of ["ed25519", "p256"] as const satisfies readonly KeyKind[]) {
  test(`createCsr makes a ${kind} request that openssl and @peculiar/x509 verify`, async () => {
    const key = generateKey(kind);
    const pem = createCsr(key, SUBJECT, { dnsNames: ["node.test"], ips: ["192.0.2.9"] });
    writeFileSync(join(dir, "r.pem"), pem);
    const said = openssl("req", "-in", join(dir, "r.pem"), "-verify", "-noout", "-text");
    expect(said).toContain("DNS:node.test, IP Address:192.0.2.9");
    expect(said).toMatch(/O ?= ?slipway:machine, CN ?= ?52:54:00:12:34:56/);
    expect(await new peculiar.Pkcs10CertificateRequest(pem).verify()).toBe(true);
    const parsed = parseCsr(pem);
    expect(parsed.subject).toEqual(SUBJECT);
    expect(parsed.keyFingerprint).toBe(keyFingerprint(key));
  });
}

const FOREIGN = [
  { name: "Ed25519", args: ["-newkey", "ed25519"] },
  { name: "P-256", args: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] },
];
for (const { name, args } of FOREIGN) {
  test(`parseCsr reads openssl's ${name} request`, () => {
    const path = join(dir, "o.pem");
    openssl("req", "-new", ...args, "-nodes", "-keyout", join(dir, "k"), "-subj", "/CN=theirs", "-out", path);
    expect(parseCsr(readFileSync(path, "utf8")).subject.commonName).toBe("theirs");
  });
}

test("parseCsr refuses an RSA key", () => {
  const path = join(dir, "rsa.pem");
  openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", join(dir, "k"), "-subj", "/CN=x", "-out", path);
  expect(() => parseCsr(readFileSync(path, "utf8"))).toThrow(/no Ed25519 or P-256 key/);
});

test("parseCsr refuses a request whose key was exchanged", () => {
  const swap = (from: Uint8Array, to: Uint8Array, der: Uint8Array) =>
    Buffer.from(Buffer.from(der).toString("hex").replace(hex(from), hex(to)), "hex");
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const raw = (key: ReturnType<typeof generateKey>) => Buffer.from(key.export({ format: "jwk" }).x!, "base64url");
  const [mine, theirs] = [generateKey("ed25519"), generateKey("ed25519")];
  const der = parsePem("CERTIFICATE REQUEST", createCsr(theirs, SUBJECT))[0]!;
  const forged = formatPem("CERTIFICATE REQUEST", swap(raw(theirs), raw(mine), der));
  expect(() => parseCsr(forged)).toThrow(/signature is not by the key/);
});

const one = createCsr(generateKey("ed25519"), SUBJECT);
const REFUSED = [
  { name: "nothing", pem: "", says: /no "-----BEGIN CERTIFICATE REQUEST-----" block/ },
  { name: "two blocks", pem: one + one, says: /2 PEM blocks/ },
  { name: "a long text", pem: "x".repeat(20_000), says: /20000 characters/ },
  { name: "a certificate's name", pem: one.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE"), says: /no "-----BEGIN/ },
  { name: "an empty block", pem: formatPem("CERTIFICATE REQUEST", new Uint8Array(1)), says: /no DER/ },
];
for (const { name, pem, says } of REFUSED)
  test(`parseCsr refuses ${name}`, () => expect(() => parseCsr(pem)).toThrow(says));
