// A cluster's sealed bundle: whole on the disk, opened by the right identity only, never overwritten, never another's.
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formatSecretsBundle } from "../../../server/contract/machine-config/bundle-file.ts";
import type { SecretsBundle } from "../../../server/contract/machine-config/secrets-bundle.ts";
import { openSecrets } from "../../../server/secrets/store.ts";

const NOW = Date.UTC(2026, 0, 2);
const said: string[] = [];
const log = { info: (text: string) => void said.push(text), warn: (text: string) => void said.push(text) };
let root: string;
let bundle: SecretsBundle;
const open = (identity = "identity.age") =>
  openSecrets({ dataDir: join(root, "data"), identityPath: join(root, identity), log });
const dir = () => join(root, "data", "secrets", "clusters");

// Each bundle costs an RSA key of 4096 bits: one for all tests.
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "slipway-cluster-secrets-"));
  bundle = await (await open()).clusters.create("rack1", NOW);
}, 60_000);
afterAll(() => rmSync(root, { recursive: true }));

test("it is sealed for its owner alone, nothing of it is in the clear, and a restart opens the same", async () => {
  expect(readdirSync(dir())).toEqual(["rack1.age"]);
  expect((statSync(dir()).mode & 0o777).toString(8)).toBe("700");
  expect((statSync(join(dir(), "rack1.age")).mode & 0o777).toString(8)).toBe("600");
  const everything = readdirSync(join(root, "data"), { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile())
    .map((f) => readFileSync(join(f.parentPath, f.name), "latin1"))
    .join();
  for (const secret of [bundle.trustdToken, bundle.cluster.secret, bundle.secrets.bootstrapToken, "PRIVATE KEY"])
    expect(everything + said.join()).not.toContain(secret);
  const again = await (await open()).clusters.open("rack1");
  expect(formatSecretsBundle(again)).toBe(formatSecretsBundle(bundle));
});

test("a missing one, another cluster's, a damaged one and a wrong identity are told with what is lost", async () => {
  const { clusters } = await open();
  await expect(clusters.open("rack2")).rejects.toMatchObject({
    code: "SECRETS_DAMAGED",
    message: expect.stringMatching(
      /rack2\.age is not there\. With it is lost: the secrets of cluster rack2: its running nodes go on/,
    ),
  });
  copyFileSync(join(dir(), "rack1.age"), join(dir(), "rack3.age"));
  await expect(clusters.open("rack3")).rejects.toMatchObject({
    code: "SECRETS_DAMAGED",
    message: expect.stringMatching(/holds the secrets of the cluster rack1, expected those of cluster rack3/),
  });
  truncateSync(join(dir(), "rack3.age"), 500);
  await expect(clusters.open("rack3")).rejects.toMatchObject({
    code: "SECRETS_DAMAGED",
    message: expect.stringContaining("500 bytes"),
  });
  await openSecrets({ dataDir: join(root, "other"), identityPath: join(root, "other.age"), log });
  copyFileSync(join(root, "other", "secrets", "ca.age"), join(dir(), "rack4.age"));
  const fault = await clusters.open("rack4").catch((cause) => cause);
  expect(fault).toMatchObject({ code: "IDENTITY_WRONG", message: expect.stringContaining("rack4.age") });
  await expect(clusters.open("../ca")).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("what lies in the way is moved aside, sealed as it is", async () => {
  const { clusters } = await open();
  const before = readFileSync(join(dir(), "rack1.age"));
  const aside = clusters.retire("rack1", NOW);
  expect(aside).toBe(join(dir(), "rack1.2026-01-02T00-00-00-000Z.retired.age"));
  expect(readFileSync(aside!).equals(before)).toBe(true);
  expect(clusters.retire("rack1", NOW)).toBeUndefined();
  await expect(clusters.open("rack1")).rejects.toMatchObject({ code: "SECRETS_DAMAGED" });
});
