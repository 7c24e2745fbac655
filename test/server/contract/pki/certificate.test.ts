// Certificates as three strangers read them: openssl, node's X509Certificate and @peculiar/x509.
import { execFileSync } from "node:child_process";
import { createPublicKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "reflect-metadata";
import * as peculiar from "@peculiar/x509";
import { afterAll, describe, expect, test } from "vitest";
import {
  isIssuedBy,
  issueCa,
  issueLeaf,
  parseCertificate,
  parseCertificatePem,
} from "../../../../server/contract/pki/certificate.ts";
import { fingerprintOf, generateKey, type KeyKind, keyFingerprint } from "../../../../server/contract/pki/key.ts";
import { FOREVER, makeAuthority, makeClient, makeServer, NOT_BEFORE, terms } from "./authority.ts";

const dir = mkdtempSync(join(tmpdir(), "slipway-pki-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const openssl = (...args: string[]): string => execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });

for (const kind of ["ed25519", "p256"] as const satisfies readonly KeyKind[]) {
  describe(kind, () => {
    const ca = makeAuthority(kind);
    const server = makeServer(ca, kind);
    const client = makeClient(ca, kind);
    const caFile = file(`${kind}-ca.pem`, ca.certificate.pem);

    const LEAVES = [
      { name: "server", leaf: server, purpose: "sslserver", wrong: "sslclient" },
      { name: "client", leaf: client, purpose: "sslclient", wrong: "sslserver" },
    ];
    for (const { name, leaf, purpose, wrong } of LEAVES) {
      test(`openssl verify -x509_strict accepts the ${name} certificate, for its purpose only`, () => {
        const path = file(`${kind}-${name}.pem`, leaf.certificate.pem);
        const verify = (p: string) => openssl("verify", "-x509_strict", "-purpose", p, "-CAfile", caFile, path);
        expect(verify(purpose)).toContain(": OK");
        expect(() => verify(wrong)).toThrow(/unsuitable certificate purpose|unsupported certificate purpose/);
      });
    }
    test("openssl and node read the fields that were asked for", () => {
      const said = openssl("x509", "-in", file("s.pem", server.certificate.pem), "-noout", "-text");
      expect(said).toContain("DNS:appliance.test, DNS:localhost, IP Address:127.0.0.1, IP Address:192.0.2.1");
      expect(said).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
      expect(said).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
      expect(said).toContain("Not After : Dec 31 23:59:59 9999 GMT");
      const node = new X509Certificate(client.certificate.pem);
      expect(node.subject).toBe("O=slipway:machine\nCN=machine-1");
      expect(node.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(client.certificate.fingerprint);
      expect(node.serialNumber.toLowerCase()).toBe(client.certificate.serial);
      expect(node.verify(createPublicKey(ca.key))).toBe(true);
      expect(new X509Certificate(ca.certificate.pem).ca).toBe(true);
    });
    test("@peculiar/x509 verifies the signatures and builds the chain", async () => {
      const root = new peculiar.X509Certificate(ca.certificate.pem);
      const leaf = new peculiar.X509Certificate(server.certificate.pem);
      expect(await root.verify({ signatureOnly: true })).toBe(true);
      expect(await leaf.verify({ publicKey: root, signatureOnly: true })).toBe(true);
      expect(leaf.serialNumber).toBe(server.certificate.serial);
      expect(leaf.notBefore).toEqual(NOT_BEFORE);
    });
    test("parseCertificate reads back what was issued", () => {
      expect(server.certificate).toMatchObject({
        isCa: false,
        maySign: true,
        mayCertify: false,
        purposes: ["server"],
        altNames: { dnsNames: ["appliance.test", "localhost"], ips: ["127.0.0.1", "192.0.2.1"] },
        subject: { organizations: [], commonName: "appliance.test" },
        notBefore: NOT_BEFORE,
        notAfter: FOREVER,
      });
      expect(ca.certificate).toMatchObject({ isCa: true, pathLength: 0, mayCertify: true });
      expect(server.certificate.issuerKeyId).toEqual(ca.certificate.keyId);
      expect(parseCertificatePem(server.certificate.pem).der).toEqual(server.certificate.der);
      expect(keyFingerprint(server.certificate.publicKey)).toBe(keyFingerprint(server.key));
    });
    test("isIssuedBy knows its own from another's", () => {
      const other = makeAuthority(kind);
      expect(isIssuedBy(server.certificate, ca.certificate)).toBe(true);
      expect(isIssuedBy(server.certificate, other.certificate)).toBe(false);
      expect(isIssuedBy(server.certificate, makeAuthority(kind, "other name").certificate)).toBe(false);
    });
  });
}

test("an Ed25519 authority issues for a P-256 key, and the reverse", () => {
  const [ed, ec] = [makeAuthority("ed25519"), makeAuthority("p256")];
  expect(isIssuedBy(makeServer(ed, "p256").certificate, ed.certificate)).toBe(true);
  expect(isIssuedBy(makeServer(ec, "ed25519").certificate, ec.certificate)).toBe(true);
});

test("parseCertificate reads what openssl issues", () => {
  const [key, cert] = [join(dir, "k.pem"), join(dir, "c.pem")];
  const subject = ["-subj", "/O=one/O=two/CN=openssl", "-addext", "subjectAltName=DNS:a.test,IP:192.0.2.7"];
  openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", cert, "-days", "1", ...subject);
  const parsed = parseCertificatePem(execFileSync("cat", [cert], { encoding: "utf8" }));
  expect(parsed).toMatchObject({
    isCa: true,
    subject: { organizations: ["one", "two"], commonName: "openssl" },
    altNames: { dnsNames: ["a.test"], ips: ["192.0.2.7"] },
  });
  expect(parsed.fingerprint).toBe(fingerprintOf(parsed.der));
});

const ca = makeAuthority();
const publicKey = createPublicKey(generateKey("ed25519"));
const leafWith = (over: object) => () =>
  issueLeaf(ca, { publicKey, subject: { commonName: "x" }, purpose: "server", ...over }, terms());
const REFUSED = [
  {
    name: "a serial of 7 bytes",
    run: () => issueCa(ca.key, {}, { ...terms(), serial: new Uint8Array(7) }),
    says: /7 bytes/,
  },
  { name: "an empty name", run: leafWith({ subject: { commonName: "" } }), says: /0 characters/ },
  {
    name: "a name of 65 characters",
    run: leafWith({ subject: { commonName: "x".repeat(65) } }),
    says: /65 characters/,
  },
  { name: "a control character", run: leafWith({ subject: { organizations: ["a\0b"] } }), says: /printable/ },
  {
    name: "a host name with a space",
    run: leafWith({ altNames: { dnsNames: ["a b"], ips: [] } }),
    says: /"a b" is no host name/,
  },
  {
    name: "an address with 256",
    run: leafWith({ altNames: { dnsNames: [], ips: ["192.0.2.256"] } }),
    says: /192.0.2.256/,
  },
  {
    name: "an address of three parts",
    run: leafWith({ altNames: { dnsNames: [], ips: ["192.0.2"] } }),
    says: /no IPv4/,
  },
  { name: "20 kB", run: () => parseCertificate(new Uint8Array(20_000)), says: /20000 bytes/ },
];
for (const { name, run, says } of REFUSED) {
  test(`refuses ${name}`, () => {
    expect(run).toThrow(says);
    expect(run).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });
}

test("times before 2050 are UTCTime and after it GeneralizedTime", () => {
  const at = (notAfter: string) => issueCa(ca.key, { commonName: "x" }, { ...terms(), notAfter: new Date(notAfter) });
  for (const notAfter of ["2049-12-31T23:59:59.000Z", "2050-01-01T00:00:00.000Z"]) {
    expect(at(notAfter).notAfter.toISOString()).toBe(notAfter);
    expect(new X509Certificate(at(notAfter).pem).validToDate.toISOString()).toBe(notAfter);
  }
});
