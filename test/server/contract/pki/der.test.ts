// Strictness, by table and by chance: whatever bytes come, only a SlipwayError may leave.
import { expect, test } from "vitest";
import { SlipwayError } from "../../../../server/contract/errors.ts";
import { parseCertificate } from "../../../../server/contract/pki/certificate.ts";
import { createCsr, parseCsr } from "../../../../server/contract/pki/csr.ts";
import {
  decode,
  encode,
  integer,
  oid,
  oidOf,
  sequence,
  time,
  timeOf,
  utf8,
} from "../../../../server/contract/pki/der.ts";
import { generateKey } from "../../../../server/contract/pki/key.ts";
import { formatPem, parsePem } from "../../../../server/contract/pki/pem.ts";
import { verifyPinnedChain } from "../../../../server/contract/pki/verify-chain.ts";
import { makeAuthority, makeServer } from "./authority.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const NOT_CANONICAL = [
  { name: "a length in two bytes where one does", bytes: "30 81 03 02 01 05" },
  { name: "an indefinite length", bytes: "30 80 02 01 05 00 00" },
  { name: "an integer with a spare zero", bytes: "30 04 02 02 00 05" },
  { name: "bytes after the end", bytes: "30 03 02 01 05 00" },
  { name: "a length past the end", bytes: "30 05 02 01 05" },
  { name: "nothing", bytes: "" },
  { name: "one byte", bytes: "30" },
  { name: "nesting without end", bytes: `${"30 80 ".repeat(400)}` },
];
for (const { name, bytes } of NOT_CANONICAL) {
  test(`decode refuses ${name}`, () => {
    expect(() => decode(hex(bytes), "thing")).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });
}

test("encode and decode keep integers, text, times and identifiers", () => {
  const bytes = encode(sequence(integer(hex("00 ff")), utf8("grüße"), oid("1.2.840.10045.4.3.2")));
  expect(Buffer.from(bytes).toString("hex")).toBe("3017020200ff0c076772c3bcc39f6506082a8648ce3d040302");
  expect(oidOf(oid("2.5.29.15"), "x")).toBe("2.5.29.15");
  expect(timeOf(time(new Date("1999-12-31T23:59:59Z")), "x").toISOString()).toBe("1999-12-31T23:59:59.000Z");
});

/** mulberry32: small, seeded, good enough to choose bytes. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = () => Math.floor(random() * copy.length);
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) copy[at()] = Math.floor(random() * 256);
  const kind = random();
  if (kind < 0.15) return copy.subarray(0, at());
  if (kind < 0.3) return Buffer.concat([copy.subarray(0, at()), copy.subarray(at())]);
  return copy;
}

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
test(`20,000 mutations of certificates and requests raise only SlipwayError (SEED=${seed})`, {
  timeout: 120_000,
}, () => {
  const random = chance(seed);
  const ca = makeAuthority();
  const seeds = [
    ca.certificate.der,
    makeServer(ca).certificate.der,
    makeServer(makeAuthority("p256"), "p256").certificate.der,
  ];
  const csr = parsePem(
    "CERTIFICATE REQUEST",
    createCsr(generateKey("p256"), { commonName: "x" }, { dnsNames: ["a.b"], ips: [] }),
  )[0]!;
  let refused = 0;
  const attempt = (run: () => unknown) => {
    try {
      run();
    } catch (cause) {
      if (!(cause instanceof SlipwayError)) throw cause;
      refused += 1;
    }
  };
  for (let i = 0; i < 10_000; i++) {
    const der = mutate(seeds[i % seeds.length]!, random);
    attempt(() => parseCertificate(der));
    // The verdict is a value whatever comes; a tenth is enough, it is the slow part.
    if (i % 10 === 0) {
      expect(verifyPinnedChain([der, ca.certificate.der], ca.certificate.fingerprint).kind).toMatch(/trusted|refused/);
    }
    attempt(() => parseCsr(formatPem("CERTIFICATE REQUEST", mutate(csr, random))));
  }
  expect(refused).toBeGreaterThan(10_000);
});
