// `slipway kubeconfig` against the admin API of a real desk: what is issued is in the audit, and nothing is issued that this
// machine could not keep.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { listenAdmin } from "../../../server/rest/admin-socket.ts";
import { buildAdminApp } from "../../../server/rest/app.ts";
import { NOW, type TestDesk, testDesk } from "../cluster/desk.ts";
import { BUNDLE } from "../contract/machine-config/sample.ts";
import { STATUS, silent } from "../rest/open-rig.ts";
import { run } from "./run-in-process.ts";

let dir: string;
let socket: string;
let t: TestDesk;
let app: FastifyInstance;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "slipway-kubeconfig-"));
  socket = join(dir, "admin.sock");
  t = await testDesk();
  app = await buildAdminApp({
    ...{ inventory: t.inventory, log: silent, now: () => NOW, version: "0.1.0" },
    status: async () => STATUS,
    actorOf: () => "uid 1000 (tester)",
    clusters: {
      ...{ desk: t.desk, admin: t.admin, openBundle: async () => BUNDLE },
      record: (event) => void t.events.push(event),
    },
  });
  await t.admin.create({ name: "rack1", isSingle: false }, "tester");
  await listenAdmin(app, { path: socket });
});
afterEach(async () => {
  await app.close();
  t.desk.close();
  rmSync(dir, { recursive: true });
});

const issued = () => t.events.filter(({ kind }) => kind === "kubeconfig-issued").length;
const audited = async () => (await t.inventory.listAudit({})).filter(({ action }) => action === "issue").length;

test("kubeconfig merges what was issued, and it is in the audit", async () => {
  const path = join(dir, "home", "config");
  const { code, err } = await run(socket, "kubeconfig", "--file", path);
  expect([code, err]).toEqual([
    0,
    `${path}: context admin@rack1 leads to cluster rack1 now, and is the current one.\n`,
  ]);
  expect(parse(readFileSync(path, "utf8"))["current-context"]).toBe("admin@rack1");
  expect([issued(), await audited()]).toEqual([1, 1]);
});

const REFUSED: { name: string; make: () => string; says: RegExp }[] = [
  { name: "a directory", make: () => dir, says: /cannot be written: EISDIR/ },
  {
    name: "a file below a file",
    make: () => join(file("plain", ""), "config"),
    says: /config cannot be written: (EEXIST|ENOTDIR)/,
  },
  { name: "no kubeconfig", make: () => file("notes", "just words"), says: /notes: is no kubeconfig/ },
  {
    name: "one that kubectl is writing",
    make: () => file("config.lock", "").replace(/\.lock$/, ""),
    says: /being changed/,
  },
];
function file(name: string, text: string): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}
for (const { name, make, says } of REFUSED) {
  test(`kubeconfig into ${name}: nothing is issued`, async () => {
    const { code, err } = await run(socket, "kubeconfig", "--file", make());
    expect(code).not.toBe(0);
    expect(err).toMatch(says);
    expect([issued(), await audited()]).toEqual([0, 0]);
  });
}
