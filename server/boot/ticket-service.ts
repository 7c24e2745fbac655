// A ticket that no boot script led to: for a machine whose root somebody else starts (a container node of the lab), asked
// for on the admin socket. The same kind of attempt, the same rules of enrolment, the same one use (design §6.1). Edge.
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { Actor, Inventory } from "../../inventory/port.ts";
import type { RecordEvent } from "./ports.ts";

export type TicketDeps = {
  inventory: Pick<Inventory, "sightMachine" | "saveAttempt" | "appendAudit">;
  record: RecordEvent;
  /** SHA-256 of the appliance CA's DER, hex. */
  caFingerprint: string;
  grpcPort: number;
  ticketMs: number;
};

export type TicketOrder = {
  mac: Mac;
  /** The appliance's address as the machine reaches it. */
  localIp: Ipv4;
  /** `amd64`, `arm64`, as far as known. */
  arch?: string;
  actor: Actor;
};

/** What stands in `/run/slipway/ticket.json`; `token` is a secret. */
export type IssuedTicket = {
  schema: 1;
  token: string;
  caFingerprint: string;
  server: string;
  attempt: string;
  mac: Mac;
};

/** A new token with its text file's fields: the one form that the agent reads (node-agent/ticket.ts). */
export function makeTicket(
  { caFingerprint, grpcPort }: Pick<TicketDeps, "caFingerprint" | "grpcPort">,
  { mac, localIp, attempt }: { mac: Mac; localIp: Ipv4; attempt: string },
): { ticket: IssuedTicket; tokenHash: string } {
  const token = randomBytes(32).toString("base64url");
  const tokenHash = createHash("sha256").update(token).digest("hex");
  return { ticket: { schema: 1, token, caFingerprint, server: `${localIp}:${grpcPort}`, attempt, mac }, tokenHash };
}

/**
 * Writes a boot attempt with its ticket, as if this machine had asked for a script, and hands the token to who asked. Only
 * its hash is stored. Nobody can fetch it by HTTP: it counts as fetched, from the appliance itself.
 */
export async function issueTicket(deps: TicketDeps, order: TicketOrder): Promise<IssuedTicket> {
  const { mac, localIp, arch, actor } = order;
  const now = Date.now();
  const machine = await deps.inventory.sightMachine({ mac, at: now, ...(arch && { arch }), activity: "loading" });
  const id = randomUUID();
  const { ticket, tokenHash } = makeTicket(deps, { mac, localIp, attempt: id });
  const common = { id, machineId: machine.id, mac, sourceIp: localIp };
  await deps.inventory.saveAttempt(
    { ...common, startedAt: now, platform: "container", ...(arch && { arch }), decision: "os" },
    { ...common, issuedAt: now, expiresAt: now + deps.ticketMs, tokenHash, fetchedAt: now },
  );
  const detail = `a ticket for ${mac}, without a boot (attempt ${id})`;
  await deps.inventory.appendAudit({ actor, action: "issue", target: machine.id, detail });
  deps.record({ kind: "ticket-issued", mac, attemptId: id, detail: { actor } });
  return ticket;
}
