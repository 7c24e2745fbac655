// Files of a node on a real file system: whole, only where they differ, with the mode that keeps a secret one.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  listDirectory,
  makeDirectories,
  makeLinks,
  readEtcdData,
  readText,
  writeFiles,
} from "../../../node-agent/kubernetes/run-files.ts";

const dir = mkdtempSync(join(tmpdir(), "slipway-files-"));
afterAll(() => rmSync(dir, { recursive: true }));
const uid = process.getuid!();
const modeOf = (path: string) => statSync(path).mode & 0o7777;

test("makeLinks makes what is missing, and leaves what stands there", () => {
  const [made, there] = [join(dir, "run"), join(dir, "var-run")];
  mkdirSync(there);
  for (let n = 0; n < 2; n++) makeLinks({ [made]: "../run", [there]: "../run" });
  expect(readlinkSync(made)).toBe("../run");
  expect(statSync(there).isDirectory()).toBe(true);
});

test("writeFiles writes what differs, in text or in mode, and leaves nothing beside it", () => {
  const path = join(dir, "a/b/secret");
  const file = { path, text: "one", uid, mode: 0o400 };
  expect(writeFiles([file])).toEqual([path]);
  expect(writeFiles([file])).toEqual([]);
  const before = statSync(path).ino;
  expect(writeFiles([{ ...file, text: "two" }])).toEqual([path]);
  expect(readFileSync(path, "utf8")).toBe("two");
  expect(statSync(path).ino).not.toBe(before);
  chmodSync(path, 0o644);
  expect(writeFiles([{ ...file, text: "two" }])).toEqual([path]);
  expect(modeOf(path)).toBe(0o400);
  expect(readdirSync(join(dir, "a/b"))).toEqual(["secret"]);
});

test("writeFiles lets everyone pass to a secret, whatever the umask, and nobody read it", () => {
  const umask = process.umask(0o077);
  try {
    writeFiles([{ path: join(dir, "c/d/key"), text: "k", uid, mode: 0o400 }]);
  } finally {
    process.umask(umask);
  }
  expect([modeOf(join(dir, "c")), modeOf(join(dir, "c/d")), modeOf(join(dir, "c/d/key"))]).toEqual([
    0o755, 0o755, 0o400,
  ]);
});

test("makeDirectories sets the mode of what is there already", () => {
  mkdirSync(join(dir, "etcd"), { mode: 0o755 });
  makeDirectories([{ path: join(dir, "etcd"), uid, mode: 0o700 }]);
  expect(modeOf(join(dir, "etcd"))).toBe(0o700);
});

test("readText and listDirectory take what is missing for nothing", () => {
  expect([readText(join(dir, "none")), listDirectory(join(dir, "none"))]).toEqual([undefined, []]);
  expect(() => readText(dir)).toThrow(/EISDIR/);
});

test("readEtcdData counts data from the first segment on", () => {
  const data = join(dir, "data");
  expect(readEtcdData(data)).toEqual({ kind: "none" });
  mkdirSync(join(data, "member/wal"), { recursive: true });
  mkdirSync(join(data, "member/snap"));
  writeFileSync(join(data, "member/snap/db"), "half a start");
  expect(readEtcdData(data)).toEqual({ kind: "none" });
  const segment = join(data, "member/wal/0000000000000000-0000000000000000.wal");
  writeFileSync(segment, "");
  expect(readEtcdData(data)).toMatchObject({
    kind: "unreadable",
    reason: expect.stringContaining("no readable beginning"),
  });
  const head = "BAAAAAAAAIQIBBAAAAAAAB8AAAAAAACBCAEQ66vZvgcaFQjcpL/vwaKc40MQy9q/+b7MgqeIAQA=";
  writeFileSync(segment, Buffer.from(head, "base64"));
  expect(readEtcdData(data)).toEqual({
    kind: "data",
    ids: { clusterId: "884e0a63ef2fed4b", memberId: "43c671141defd25c" },
  });
});
