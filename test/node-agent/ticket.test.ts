// The ticket's file: what is read, and that no message quotes it.
import { describe, expect, test } from "vitest";
import { parseTicket } from "../../node-agent/ticket.ts";

const TICKET = {
  schema: 1,
  token: "dGhpcyBpcyBhIHNlY3JldCB0b2tlbiE",
  caFingerprint: "ab".repeat(32),
  server: "192.0.2.1:8443",
  attempt: "0b9c7c1e-1111-4222-8333-444455556666",
  mac: "52:54:00:12:34:56",
};

describe("parseTicket", () => {
  test("reads what the appliance writes", () => {
    const { schema: _, ...ticket } = TICKET;
    expect(parseTicket(`${JSON.stringify(TICKET)}\n`)).toEqual({ kind: "ticket", ticket });
  });
  test("takes fields that a newer appliance adds", () =>
    expect(parseTicket(JSON.stringify({ ...TICKET, more: 1 })).kind).toBe("ticket"));

  const bad: [string, string][] = [
    ["", "it is not JSON"],
    [`{"token":"${TICKET.token}"`, "it is not JSON"],
    ["null", "it is not an object"],
    [JSON.stringify({ ...TICKET, schema: 2 }), "its schema is 2, and this agent knows 1"],
    [JSON.stringify({ ...TICKET, token: "short" }), "token: 20 to 200 letters"],
    [JSON.stringify({ ...TICKET, caFingerprint: "AB" }), "caFingerprint: 64 hex digits expected"],
    [JSON.stringify({ ...TICKET, server: "http://x" }), "server: an IPv4 address and a port expected"],
    [JSON.stringify({ ...TICKET, mac: undefined }), "mac: a MAC address expected"],
    [JSON.stringify({ ...TICKET, attempt: "../.." }), "attempt: the attempt's id expected"],
  ];
  for (const [text, says] of bad) {
    test(`says "${says}"`, () => {
      const parsed = parseTicket(text);
      expect(parsed).toMatchObject({ kind: "invalid", reason: expect.stringContaining(says) });
      expect(JSON.stringify(parsed)).not.toContain(TICKET.token);
    });
  }
});
