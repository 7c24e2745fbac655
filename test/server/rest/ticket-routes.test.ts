// A ticket from the admin socket: what the agent can read, stored only as its hash, in the machine's timeline.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseTicket } from "../../../node-agent/ticket.ts";
import { issueTicket } from "../../../server/boot/ticket-service.ts";
import { openRig, type Rig, STATUS } from "./open-rig.ts";

const MAC = "52:54:00:12:34:56";
const LIFE = { caFingerprint: "ab".repeat(32), grpcPort: 8443, ticketMs: 900_000 };

let rig: Rig;
const events: { kind: string; detail?: unknown }[] = [];
beforeAll(async () => {
  const record = (event: { kind: string }) => void events.push(event);
  rig = await openRig({ issueTicket: (order) => issueTicket({ inventory: rig.inventory, record, ...LIFE }, order) });
});
afterAll(() => rig.close());

const ask = (body: object) => rig.app.inject({ method: "POST", url: "/v1/tickets", payload: body });

test("POST /v1/tickets gives a ticket that the agent reads, and stores only the token's hash", async () => {
  const answer = await ask({ mac: MAC, arch: "amd64" });
  expect(answer.statusCode).toBe(200);
  expect(answer.headers["cache-control"]).toBe("no-store");
  const read = parseTicket(answer.body);
  if (read.kind !== "ticket") throw new Error(read.reason);
  expect(read.ticket).toMatchObject({ mac: MAC, server: "192.0.2.1:8443" });
  const hash = createHash("sha256").update(read.ticket.token).digest("hex");
  const stored = await rig.inventory.findTicketByTokenHash(hash);
  expect(stored).toMatchObject({ mac: MAC, id: read.ticket.attempt });
  expect(stored!.expiresAt - stored!.issuedAt).toBe(LIFE.ticketMs);
  expect(await rig.inventory.findMachineByMac(MAC)).toMatchObject({ lifecycle: "discovered", arch: "amd64" });
  expect(events).toMatchObject([{ kind: "ticket-issued", detail: { actor: "uid 1000 (tester)" } }]);
  const audit = await rig.inventory.listAudit({});
  expect(audit).toMatchObject([{ actor: "uid 1000 (tester)", action: "issue", target: stored!.machineId }]);
  expect(JSON.stringify([events, audit])).not.toContain(read.ticket.token);
});

const REFUSED = [
  { name: "a MAC that is none", body: { mac: "web1" }, says: '"web1" is no MAC address' },
  { name: "another appliance's address", body: { mac: MAC, address: "192.0.2.9" }, says: "it has 192.0.2.1" },
];
for (const { name, body, says } of REFUSED) {
  test(`POST /v1/tickets refuses ${name}`, async () => {
    const answer = await ask(body);
    expect(answer.statusCode).toBe(400);
    expect(answer.body).toContain(JSON.stringify(says).slice(1, -1));
  });
}

test("POST /v1/tickets is not there without a way to make tickets", async () => {
  const plain = await openRig({ status: async () => STATUS });
  const answer = await plain.app.inject({ method: "POST", url: "/v1/tickets", payload: { mac: MAC } });
  expect(answer.statusCode).toBe(404);
  await plain.close();
});
