import { expect, test } from "vitest";
import type { Ticket } from "../../../inventory/ticket.ts";
import { decideTicketFetch } from "../../../server/boot/ticket-rules.ts";

const TICKET: Ticket = {
  id: "t1",
  machineId: "m1",
  mac: "52:54:00:12:34:56",
  sourceIp: "192.0.2.100",
  issuedAt: 1000,
  expiresAt: 2000,
};
const CASES: { name: string; ticket?: Ticket | undefined; ip?: string; now?: number; refused?: RegExp }[] = [
  { name: "gives it to the address that asked for the script", ticket: TICKET },
  {
    name: "gives it again while no key is bound: a download may break",
    ticket: { ...TICKET, tokenHash: "ab", fetchedAt: 1100 },
  },
  { name: "refuses an id nobody made", ticket: undefined, refused: /no such ticket/ },
  {
    name: "refuses another address",
    ticket: TICKET,
    ip: "192.0.2.101",
    refused: /belongs to 192.0.2.100, not to 192.0.2.101/,
  },
  { name: "gives it in its last millisecond", ticket: TICKET, now: 1999 },
  { name: "refuses it when it has run out", ticket: TICKET, now: 2000, refused: /too late/ },
  { name: "refuses it once a key is bound", ticket: { ...TICKET, keyFingerprint: "cd" }, refused: /used already/ },
];
for (const { name, ticket, ip = "192.0.2.100", now = 1500, refused } of CASES) {
  test(`decideTicketFetch ${name}`, () => {
    const got = decideTicketFetch(ticket, ip, now);
    if (refused === undefined) expect(got).toEqual({ kind: "give" });
    else expect(got).toEqual({ kind: "refuse", reason: expect.stringMatching(refused) });
  });
}
