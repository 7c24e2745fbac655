// `ticket --file`: the token goes into a file that was not there before, readable by its owner only.
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenAdmin } from "../../../server/rest/admin-socket.ts";
import { actorOfPeer } from "../../../server/rest/peer-socket.ts";
import { openRig, type Rig } from "../rest/open-rig.ts";
import { run } from "./run-in-process.ts";

const MAC = "52:54:00:00:00:0a";
const TICKET = {
  schema: 1,
  token: "t".repeat(43),
  caFingerprint: "ab",
  server: "192.0.2.1:8443",
  attempt: "a",
  mac: MAC,
} as const;

let rig: Rig;
let dir: string;
let socket: string;
beforeEach(async () => {
  rig = await openRig({ actorOf: actorOfPeer, issueTicket: async () => TICKET });
  dir = mkdtempSync(join(tmpdir(), "slipway-ticket-"));
  socket = join(rig.dir, "admin.sock");
  await listenAdmin(rig.app, { path: socket });
});
afterEach(async () => {
  await rig.close();
  rmSync(dir, { recursive: true });
});

test("the file is its owner's alone, and neither a link nor a readable file that lay there gets the token", async () => {
  const file = join(dir, "ticket.json");
  writeFileSync(join(dir, "theirs"), "", { mode: 0o666 });
  symlinkSync(join(dir, "theirs"), file);
  symlinkSync(join(dir, "theirs"), `${file}.${process.pid}.new`);
  const { code, out, err } = await run(socket, "ticket", MAC, "--file", file);
  expect({ code, out, err }).toEqual({
    code: 0,
    out: "",
    err: `${file}: good for one machine's key, for 15 minutes.\n`,
  });
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(TICKET);
  expect(statSync(file).mode & 0o777).toBe(0o400);
  expect(readFileSync(join(dir, "theirs"), "utf8")).toBe("");
});

test("a place where nothing can be written is told by its name, without the token", async () => {
  const { code, err } = await run(socket, "ticket", MAC, "--file", join(dir, "none", "ticket.json"));
  expect(code).toBe(3);
  expect(err).toContain(`${join(dir, "none", "ticket.json")} cannot be written`);
  expect(err).toContain("Name a file where this user may write.");
  expect(err).not.toContain(TICKET.token);
});
