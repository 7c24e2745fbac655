// decideEnrolment and decideRenewal as tables: a base that is accepted, and what each row changes.
import { describe, expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import type { Ticket } from "../../../inventory/ticket.ts";
import { decideEnrolment, decideRenewal, type EnrolmentFacts } from "../../../server/grpc/enrolment.ts";

const MAC = "52:54:00:12:34:56";
const NOW = 1_800_000_000_000;
const [KEY, OTHER] = ["11".repeat(32), "22".repeat(32)];
const MACHINE: Machine = {
  ...{ id: "m1", macs: [MAC], lifecycle: "discovered", activity: "loading" },
  ...{ createdAt: "2026-11-24T12:00:00Z", seenAt: "2026-11-24T12:00:00Z" },
};
const TICKET: Ticket = {
  ...{ id: "a1", machineId: "m1", mac: MAC, sourceIp: "192.0.2.7", tokenHash: "aa" },
  ...{ issuedAt: NOW - 60_000, expiresAt: NOW + 14 * 60_000, fetchedAt: NOW - 50_000 },
};
const BASE: EnrolmentFacts = {
  ...{ ticket: TICKET, machine: MACHINE, keyFingerprint: KEY, isKeyRevoked: false, macs: [MAC], now: NOW },
};
const spent = { ...TICKET, keyFingerprint: KEY, spentAt: NOW - 10_000 };

describe("decideEnrolment accepts", () => {
  test("the first key, and binds the ticket to it", () =>
    expect(decideEnrolment(BASE)).toEqual({
      ...{ kind: "accept", ticket: { ...TICKET, keyFingerprint: KEY, spentAt: NOW } },
    }));
  test("the same key again, and leaves the ticket as it is", () => {
    const decision = decideEnrolment({ ...BASE, ticket: spent, machine: { ...MACHINE, keyFingerprint: KEY } });
    expect(decision).toEqual({ kind: "accept", ticket: spent });
    expect(decision.kind === "accept" && decision.ticket).toBe(spent);
  });
  test("a machine's next key, and revokes the one before", () =>
    expect(decideEnrolment({ ...BASE, machine: { ...MACHINE, keyFingerprint: OTHER } })).toMatchObject({
      revokes: OTHER,
    }));
  test("a machine whose boot card is one of several", () =>
    expect(decideEnrolment({ ...BASE, macs: ["52:54:00:00:00:01", MAC] }).kind).toBe("accept"));
  test("a ticket in its last millisecond", () =>
    expect(decideEnrolment({ ...BASE, now: TICKET.expiresAt - 1 }).kind).toBe("accept"));
});

const REFUSALS: { name: string; over: Partial<EnrolmentFacts>; says: string }[] = [
  { name: "an unknown token", over: { ticket: undefined, machine: undefined }, says: "the token is unknown" },
  {
    name: "a ticket past its time",
    over: { now: TICKET.expiresAt + 90_000 },
    says: "the ticket ran out 90 s ago; it was valid for 15 minutes",
  },
  { name: "a ticket at its time's end", over: { now: TICKET.expiresAt }, says: "ran out 0 s ago" },
  { name: "the same key past the ticket's time", over: { ticket: spent, now: TICKET.expiresAt }, says: "ran out" },
  { name: "another key", over: { ticket: spent, keyFingerprint: OTHER }, says: "used before, by another key" },
  {
    name: "a revoked key with its own old ticket",
    over: { ticket: spent, isKeyRevoked: true },
    says: "its key was revoked",
  },
  { name: "a machine that was removed", over: { machine: undefined }, says: "removed from the inventory" },
  {
    name: "a retired machine",
    over: { machine: { ...MACHINE, lifecycle: "retired" } },
    says: "the machine is retired",
  },
  {
    name: "another MAC",
    over: { macs: ["52:54:00:00:00:01"] },
    says: `the token was given to ${MAC}, and this machine has 52:54:00:00:00:01`,
  },
  { name: "a machine without network cards", over: { macs: [] }, says: "this machine has no network card" },
];
describe("decideEnrolment refuses", () => {
  for (const { name, over, says } of REFUSALS) {
    test(name, () =>
      expect(decideEnrolment({ ...BASE, ...over })).toMatchObject({
        ...{ kind: "refuse", reason: expect.stringContaining(says) },
      }),
    );
  }
});

describe("decideRenewal", () => {
  const enrolled = { ...MACHINE, keyFingerprint: KEY };
  test("renews for the enrolled key", () => expect(decideRenewal(enrolled, KEY, false)).toEqual({ kind: "renew" }));
  const rows: [string, Machine | undefined, string, boolean, string][] = [
    ["an unknown machine", undefined, KEY, false, "does not know this machine"],
    ["a revoked key", enrolled, KEY, true, "its key was revoked"],
    ["a retired machine", { ...enrolled, lifecycle: "retired" }, KEY, false, "the machine is retired"],
    ["another key", enrolled, OTHER, false, "not the key that the machine enrolled with"],
    ["a machine that never enrolled", MACHINE, KEY, false, "not the key that the machine enrolled with"],
  ];
  for (const [name, machine, key, isRevoked, says] of rows) {
    test(`refuses ${name}`, () =>
      expect(decideRenewal(machine, key, isRevoked)).toMatchObject({
        kind: "refuse",
        reason: expect.stringContaining(says),
      }));
  }
});
