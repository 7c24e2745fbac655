// Sealed secrets: made once, opened for ever, and never made anew behind somebody's back.
import { execFileSync, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createCsr, parseCsr } from "../../../server/contract/pki/csr.ts";
import { generateKey } from "../../../server/contract/pki/key.ts";
import { parsePem } from "../../../server/contract/pki/pem.ts";
import { verifyPinnedChain } from "../../../server/contract/pki/verify-chain.ts";
import { openSecrets, type Secrets } from "../../../server/secrets/store.ts";

let root: string;
let dataDir: string;
let identityPath: string;
let said: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slipway-secrets-"));
  dataDir = join(root, "data");
  identityPath = join(root, "config", "slipway", "identity.age");
  said = [];
});
afterEach(() => rmSync(root, { recursive: true }));

const log = { info: (text: string) => void said.push(text), warn: (text: string) => void said.push(text) };
const open = (over: object = {}): Promise<Secrets> => openSecrets({ dataDir, identityPath, log, ...over });
const sealed = (name: string) => join(dataDir, "secrets", name);
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const snapshot = () =>
  readdirSync(root, { recursive: true })
    .map(String)
    .sort()
    .map((f) => [f, statSync(join(root, f)).mtimeMs]);

describe("first start", () => {
  test("makes identity and keys with tight modes, and says where the identity is", async () => {
    const secrets = await open();
    expect(mode(identityPath)).toBe("600");
    expect(mode(join(identityPath, ".."))).toBe("700");
    expect(mode(dataDir)).toBe("711");
    expect(mode(join(dataDir, "secrets"))).toBe("700");
    expect(readdirSync(join(dataDir, "secrets")).sort()).toEqual(["ca.age", "ca.pem", "owner.age", "owner.pem"]);
    expect([mode(sealed("ca.age")), mode(sealed("owner.age"))]).toEqual(["600", "600"]);
    expect(said.join()).toContain(identityPath);
    expect(readFileSync(sealed("ca.pem"), "utf8")).toBe(secrets.ca.certificate);
    expect(readFileSync(sealed("owner.pem"), "utf8")).toBe(secrets.ownerPublicKeyPem);
    expect(
      readdirSync(root, { recursive: true })
        .map(String)
        .filter((f) => f.includes(".new")),
    ).toEqual([]);
  });
  test("leaves no private key in the clear, anywhere below dataDir", async () => {
    const { ca } = await open();
    ca.issueServer(["192.0.2.1"], Date.now());
    const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    for (const file of files) {
      expect(readFileSync(join(file.parentPath, file.name), "latin1")).not.toMatch(/PRIVATE KEY|AGE-SECRET-KEY/);
    }
    expect(said.join()).not.toMatch(/PRIVATE KEY|AGE-SECRET-KEY/);
  });
  test("uses an identity that is already there", async () => {
    const elsewhere = join(root, "other", "identity.age");
    await openSecrets({ dataDir: join(root, "other-data"), identityPath: elsewhere, log });
    said = [];
    const { ca } = await open({ identityPath: elsewhere });
    expect(said).toEqual([expect.stringContaining("secrets was empty: a new certificate authority")]);
    expect((await open({ identityPath: elsewhere })).ca.fingerprint).toBe(ca.fingerprint);
  });
  test("of two processes at once gives both the same keys", async () => {
    const script = `import { openSecrets } from "${join(process.cwd(), "server/secrets/store.ts")}";
      const log = { info() {}, warn() {} };
      const s = await openSecrets({ dataDir: "${dataDir}", identityPath: "${identityPath}", log });
      console.log(s.ca.fingerprint + s.ownerFingerprint);`;
    const run = () =>
      new Promise<string>((done, fail) => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
        let out = "";
        child.stdout.on("data", (d) => (out += d));
        child.stderr.on("data", (d) => (out += d));
        child.on("close", () => done(out)).on("error", fail);
      });
    const [a, b, c] = await Promise.all([run(), run(), run()]);
    expect(a).toMatch(/^[0-9a-f]{128}\n$/);
    expect([b, c]).toEqual([a, a]);
  });
});

describe("later starts", () => {
  test("open the same keys and write nothing", async () => {
    const first = await open();
    const before = snapshot();
    const second = await open();
    expect(second.ca).toMatchObject({ fingerprint: first.ca.fingerprint, certificate: first.ca.certificate });
    expect(second.isOwnersSignature(Buffer.from("m"), first.signManifest(Buffer.from("m")))).toBe(true);
    expect(snapshot()).toEqual(before);
  });
  test("prefer a systemd credential to the file", async () => {
    const first = await open();
    const credentialsDir = join(root, "credentials");
    mkdirSync(credentialsDir);
    renameSync(identityPath, join(credentialsDir, "slipway-identity"));
    expect((await open({ credentialsDir })).ca.fingerprint).toBe(first.ca.fingerprint);
    await expect(open()).rejects.toMatchObject({ code: "IDENTITY_MISSING" });
  });
  test("tighten an identity that others could read, and say so", async () => {
    await open();
    chmodSync(identityPath, 0o644);
    said = [];
    await open();
    expect(mode(identityPath)).toBe("600");
    expect(said.join()).toContain("could be read by others");
  });
  test("write a lost or exchanged public half anew", async () => {
    const { ca } = await open();
    rmSync(sealed("owner.pem"));
    writeFileSync(sealed("ca.pem"), "somebody else's");
    await open();
    expect(readFileSync(sealed("ca.pem"), "utf8")).toBe(ca.certificate);
    expect(existsSync(sealed("owner.pem"))).toBe(true);
  });
});

describe("faults change nothing and say what is lost", () => {
  const FAULTS = [
    {
      name: "a missing identity",
      code: "IDENTITY_MISSING",
      says: /identity .*identity.age is not there.*every enrolled machine must enrol again; .*images must be signed anew/,
      act: () => rmSync(identityPath),
    },
    {
      name: "another's identity",
      code: "IDENTITY_WRONG",
      says: /does not open .*ca.age/,
      act: async () => {
        const other = join(root, "x", "identity.age");
        await openSecrets({ dataDir: join(root, "x", "data"), identityPath: other, log });
        renameSync(other, identityPath);
      },
    },
    {
      name: "an identity file that holds none",
      code: "IDENTITY_WRONG",
      says: /holds no age identity/,
      act: () => writeFileSync(identityPath, "# only a comment\n"),
    },
    {
      name: "an empty identity file",
      code: "IDENTITY_WRONG",
      says: /holds no age identity/,
      act: () => writeFileSync(identityPath, ""),
    },
    {
      name: "a truncated sealed file",
      code: "SECRETS_DAMAGED",
      says: /owner.age is damaged \(100 bytes\).*owner's key/,
      act: () => truncateSync(sealed("owner.age"), 100),
    },
    {
      name: "a sealed file of no bytes",
      code: "SECRETS_DAMAGED",
      says: /ca.age is damaged \(0 bytes\)/,
      act: () => truncateSync(sealed("ca.age"), 0),
    },
    {
      name: "a flipped bit",
      code: "SECRETS_DAMAGED",
      says: /ca.age is damaged/,
      act: () => {
        const bytes = readFileSync(sealed("ca.age"));
        bytes[bytes.length - 3]! ^= 1;
        writeFileSync(sealed("ca.age"), bytes);
      },
    },
    {
      name: "one missing sealed file",
      code: "SECRETS_DAMAGED",
      says: /owner.age is not there, yet other sealed files are/,
      act: () => rmSync(sealed("owner.age")),
    },
    {
      name: "all sealed files gone but not the public halves",
      code: "SECRETS_DAMAGED",
      says: /ca.age, .*owner.age is not there/,
      act: () => {
        rmSync(sealed("owner.age"));
        rmSync(sealed("ca.age"));
      },
    },
  ];
  for (const { name, code, says, act } of FAULTS) {
    test(name, async () => {
      await open();
      await act();
      const before = snapshot();
      await expect(open()).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
      expect(snapshot()).toEqual(before);
    });
  }
  test("an identity inside dataDir, also through a link", async () => {
    await expect(open({ identityPath: join(dataDir, "identity.age") })).rejects.toMatchObject({ code: "BAD_CONFIG" });
    mkdirSync(dataDir);
    symlinkSync(dataDir, join(root, "link"));
    await expect(open({ identityPath: join(root, "link", "identity.age") })).rejects.toMatchObject({
      code: "BAD_CONFIG",
    });
    expect(readdirSync(dataDir)).toEqual([]);
  });
  test("a path that leads through a file", async () => {
    writeFileSync(join(root, "file"), "");
    const call = open({ identityPath: join(root, "file", "identity.age") });
    await expect(call).rejects.toMatchObject({
      code: "NO_PERMISSION",
      message: expect.stringContaining("file/identity.age"),
    });
  });
});

describe("what the keys do", () => {
  const NOW = Date.parse("2026-11-24T20:00:00Z");
  test("the authority issues a server that a pinned agent trusts and openssl verifies", async () => {
    const { ca } = await open();
    const server = ca.issueServer(["192.0.2.1", "127.0.0.1"], NOW, ["appliance.test"]);
    const chain = parsePem("CERTIFICATE", server.chain);
    expect(verifyPinnedChain(chain, ca.fingerprint).kind).toBe("trusted");
    expect(server).toMatchObject({ validFrom: NOW, validTo: NOW + 90 * 86_400_000 });
    const node = new X509Certificate(server.chain);
    expect(node.subjectAltName).toBe("DNS:appliance.test, IP Address:192.0.2.1, IP Address:127.0.0.1");
    expect(node.validToDate.getTime()).toBe(server.validTo);
    writeFileSync(join(root, "leaf.pem"), node.toString());
    const args = [
      "verify",
      "-x509_strict",
      "-purpose",
      "sslserver",
      "-CAfile",
      sealed("ca.pem"),
      join(root, "leaf.pem"),
    ];
    expect(execFileSync("openssl", args, { encoding: "utf8" })).toContain("OK");
  });
  test("the authority issues a machine its id, whatever the request called itself", async () => {
    const { ca } = await open();
    const csr = parseCsr(createCsr(generateKey("ed25519"), { organizations: ["os:admin"], commonName: "root" }));
    const node = new X509Certificate(ca.issueClient(csr.publicKey, "machine-7", NOW));
    expect(node.subject).toBe("O=slipway:machine\nCN=machine-7");
    expect(node.validToDate.getTime() - NOW).toBe(7 * 86_400_000);
    expect(node.verify(new X509Certificate(ca.certificate).publicKey)).toBe(true);
  });
  test("the authority made with a clock at 1970 or 2040 is valid today", async () => {
    for (const at of ["1970-01-01T00:01:00Z", "2040-01-01T00:00:00Z"]) {
      const { ca } = await open({ dataDir: join(root, at), now: () => Date.parse(at) });
      const node = new X509Certificate(ca.certificate);
      expect([node.validFromDate.getUTCFullYear(), node.validToDate.getUTCFullYear()]).toEqual([2020, 9999]);
    }
  });
  test("openssl verifies the owner's signature with the public half", async () => {
    const { signManifest, isOwnersSignature } = await open();
    const manifest = Buffer.from('{"name":"slipway-os"}');
    const signature = signManifest(manifest);
    expect(signature).toHaveLength(64);
    expect(isOwnersSignature(Buffer.from("other"), signature)).toBe(false);
    writeFileSync(join(root, "m"), manifest);
    writeFileSync(join(root, "s"), signature);
    const args = [
      "pkeyutl",
      "-verify",
      "-pubin",
      "-inkey",
      sealed("owner.pem"),
      "-rawin",
      "-in",
      join(root, "m"),
      "-sigfile",
      join(root, "s"),
    ];
    expect(execFileSync("openssl", args, { encoding: "utf8" })).toContain("Verified Successfully");
  });
});
