// Whom an agent with a dead clock believes.
import { createPublicKey } from "node:crypto";
import { expect, test } from "vitest";
import { issueCa, issueLeaf } from "../../../../server/contract/pki/certificate.ts";
import { generateKey } from "../../../../server/contract/pki/key.ts";
import { verifyPinnedChain } from "../../../../server/contract/pki/verify-chain.ts";
import { makeAuthority, makeClient, makeServer, nextSerial, terms } from "./authority.ts";

const ca = makeAuthority();
const pin = ca.certificate.fingerprint;
const server = makeServer(ca).certificate;
const rogue = makeAuthority();
/** Same name and same key as the real one's leaf would have, signed by somebody else. */
const forged = makeServer(rogue).certificate;

test("verifyPinnedChain trusts the pinned authority's server", () => {
  const colons = pin.toUpperCase().replace(/..(?=.)/g, "$&:");
  for (const written of [pin, pin.toUpperCase(), colons]) {
    const verdict = verifyPinnedChain([server.der, ca.certificate.der], written);
    expect(verdict).toMatchObject({
      kind: "trusted",
      ca: { fingerprint: pin },
      leaf: { fingerprint: server.fingerprint },
    });
  }
});

test("verifyPinnedChain does not look at times", () => {
  const past = { serial: nextSerial(), notBefore: new Date("1990-01-01"), notAfter: new Date("1991-01-01") };
  const publicKey = createPublicKey(generateKey("p256"));
  const old = issueLeaf(ca, { publicKey, subject: { commonName: "x" }, purpose: "server" }, past);
  expect(verifyPinnedChain([old.der, ca.certificate.der], pin).kind).toBe("trusted");
});

const noCa = (() => {
  const key = generateKey("ed25519");
  const certificate = makeServer({ key, certificate: issueCa(key, { commonName: "x" }, terms()) }).certificate;
  return { leafOfLeaf: certificate };
})();
const broken = Uint8Array.from(server.der, (byte, i) => (i === server.der.length - 1 ? byte ^ 1 : byte));
const brokenCa = Uint8Array.from(ca.certificate.der, (byte, i) =>
  i === ca.certificate.der.length - 1 ? byte ^ 1 : byte,
);
const sha256 = async (der: Uint8Array) =>
  Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(der))).toString("hex");

const REFUSED = [
  { name: "no certificate", chain: [], pin, says: /presented no certificate/ },
  { name: "a chain without the authority", chain: [server.der], pin, says: /none of the server's 1 certificates/ },
  { name: "another authority", chain: [forged.der, rogue.certificate.der], pin, says: /none of the server's 2/ },
  {
    name: "a leaf of another authority beside the real one",
    chain: [forged.der, ca.certificate.der],
    pin,
    says: /not signed by the pinned/,
  },
  {
    name: "a machine's certificate",
    chain: [makeClient(ca).certificate.der, ca.certificate.der],
    pin,
    says: /not for servers/,
  },
  {
    name: "the authority as a server",
    chain: [ca.certificate.der, ca.certificate.der],
    pin,
    says: /is one of an authority/,
  },
  { name: "a pinned leaf", chain: [server.der, server.der], pin: server.fingerprint, says: /not one of an authority/ },
  { name: "a broken signature", chain: [broken, ca.certificate.der], pin, says: /not signed by the pinned/ },
  {
    name: "a pinned authority with a broken signature",
    chain: [server.der, brokenCa],
    pin: await sha256(brokenCa),
    says: /own signature is wrong/,
  },
  {
    name: "a leaf of an unknown authority",
    chain: [noCa.leafOfLeaf.der, ca.certificate.der],
    pin,
    says: /not signed by the pinned/,
  },
  { name: "garbage", chain: [new Uint8Array([1, 2, 3]), ca.certificate.der], pin, says: /certificate: no DER/ },
];
for (const { name, chain, pin: written, says } of REFUSED) {
  test(`verifyPinnedChain refuses ${name}`, () => {
    const verdict = verifyPinnedChain(chain, written);
    expect(verdict).toEqual({ kind: "refused", reason: expect.stringMatching(says) });
  });
}
