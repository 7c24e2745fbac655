// Merging into a file that a person has: what is theirs stays, what is the same cluster's is replaced, names never collide.
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { assertMergeable, kubeconfigPath, mergeInto } from "../../../server/cli/kubeconfig-file.ts";
import { mergeKubeconfig } from "../../../server/cli/merge-kubeconfig.ts";
import { renderKubeconfig } from "../../../server/contract/kubernetes/kubeconfig.ts";

const made = (ca: string, token = "t1") =>
  renderKubeconfig({ cluster: "rack1", server: "https://192.0.2.9:6443", ca, user: "admin", credential: { token } });
const names = (text: string) => {
  const c = parse(text);
  const of = (key: string) => c[key].map((one: { name: string }) => one.name).join();
  return [of("clusters"), of("users"), of("contexts"), c["current-context"]];
};
const merge = (before: string, added: string, forced?: string) => mergeKubeconfig(before, added, forced, "config").text;

test("an empty file, or none, becomes the new one; asked again the entries are replaced", () => {
  const first = merge("", made("CA"));
  expect(names(first)).toEqual(["rack1", "admin@rack1", "admin@rack1", "admin@rack1"]);
  expect(merge("apiVersion: v1\nkind: Config\nclusters: null\n", made("CA"))).toBe(first);
  const second = merge(first, made("CA", "t2"));
  expect(names(second)).toEqual(names(first));
  expect(parse(second).users[0].user.token).toBe("t2");
});

test("another cluster of the same name, other entries and unknown settings stay", () => {
  const before = stringify({ ...parse(merge("", made("OTHER"))), preferences: { colors: true } });
  const after = merge(before, made("CA"));
  expect(names(after)).toEqual([
    "rack1,rack1-1",
    "admin@rack1,admin@rack1-1",
    "admin@rack1,admin@rack1-1",
    "admin@rack1-1",
  ]);
  expect(parse(after)).toMatchObject({ preferences: { colors: true } });
  expect(parse(after).contexts[1].context).toMatchObject({ cluster: "rack1-1", user: "admin@rack1-1" });
  const forced = merge(before, made("CA"), "admin@rack1");
  expect(names(forced)).toEqual(["rack1,rack1-1", "admin@rack1", "admin@rack1", "admin@rack1"]);
  expect(parse(forced).contexts[0].context.cluster).toBe("rack1-1");
});

test.each(["a: [", "- x", "clusters: 5", "just words"])("%j is no kubeconfig, and is left alone", (text) => {
  expect(() => merge(text, made("CA"))).toThrow(/config: is no kubeconfig, so nothing was merged into it/);
});

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-merge-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("the file is its owner's alone, whole, and a link stays a link", () => {
  mkdirSync(join(dir, "real"));
  writeFileSync(join(dir, "real", "config"), merge("", made("OTHER")), { mode: 0o644 });
  symlinkSync(join(dir, "real", "config"), join(dir, "config"));
  expect(mergeInto(join(dir, "config"), made("CA"), undefined)).toBe("admin@rack1-1");
  expect(readdirSync(dir).sort()).toEqual(["config", "real"]);
  expect(readdirSync(join(dir, "real"))).toEqual(["config"]);
  expect(statSync(join(dir, "real", "config")).mode & 0o777).toBe(0o600);
  expect(names(readFileSync(join(dir, "real", "config"), "utf8"))[0]).toBe("rack1,rack1-1");
});

test("a file in another user's home stays that user's, and a new one is its directory's owner's", () => {
  const isRoot = process.getuid!() === 0;
  const [uid, gid] = isRoot ? [12345, 12346] : [process.getuid!(), process.getgid!()];
  chownSync(dir, uid, gid);
  const path = join(dir, ".kube", "config");
  for (const text of [made("CA"), made("OTHER")]) {
    mergeInto(path, text, undefined);
    for (const one of [path, join(dir, ".kube")]) expect(statSync(one)).toMatchObject({ uid, gid });
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a link that leads nowhere is told, with what else can be done", () => {
  symlinkSync(join(dir, "gone", "config"), join(dir, "config"));
  expect(() => mergeInto(join(dir, "config"), made("CA"), undefined)).toThrow(/config cannot be written: ENOENT/);
  expect(readdirSync(dir)).toEqual(["config"]);
});

test("while another program holds kubectl's lock nothing is written", () => {
  writeFileSync(join(dir, "config.lock"), "");
  expect(() => mergeInto(join(dir, "config"), made("CA"), undefined)).toThrow(/is being changed by another program/);
  expect(readdirSync(dir)).toEqual(["config.lock"]);
});

test("assertMergeable leaves a good file as it is, and nothing beside it", () => {
  const path = join(dir, "config");
  writeFileSync(path, merge("", made("OTHER")), { mode: 0o640 });
  const before = { text: readFileSync(path, "utf8"), ino: statSync(path).ino, mode: statSync(path).mode };
  assertMergeable(path);
  expect({ text: readFileSync(path, "utf8"), ino: statSync(path).ino, mode: statSync(path).mode }).toEqual(before);
  assertMergeable(join(dir, "fresh"));
  expect(readdirSync(dir)).toEqual(["config"]);
});

test("the first file of KUBECONFIG is meant, else ~/.kube/config", () => {
  expect(kubeconfigPath({ KUBECONFIG: ":/a:/b" })).toBe("/a");
  expect(kubeconfigPath({})).toMatch(/\/\.kube\/config$/);
});
