// The boot's ticket as iPXE left it in /run/slipway/ticket.json: what lets this machine enrol, once (design §6.1). Pure.
// The appliance writes it in server/boot/service.ts. The token is a secret: no message made here holds it.

export type AgentTicket = {
  token: string;
  /** SHA-256 of the appliance's CA certificate (DER), 64 hex digits. */
  caFingerprint: string;
  /** `ip:port` of the appliance's gRPC. */
  server: string;
  attempt: string;
  /** The MAC that the ticket was given to. */
  mac: string;
};

export type TicketFile = { kind: "ticket"; ticket: AgentTicket } | { kind: "invalid"; reason: string };

/** Field → what it must look like, in words for the screen. */
const FIELDS: Record<keyof AgentTicket, { shape: RegExp; wants: string }> = {
  token: { shape: /^[\w-]{20,200}$/, wants: "20 to 200 letters, digits, - or _" },
  caFingerprint: { shape: /^[0-9a-f]{64}$/, wants: "64 hex digits" },
  server: { shape: /^(\d{1,3}\.){3}\d{1,3}:\d{1,5}$/, wants: "an IPv4 address and a port" },
  attempt: { shape: /^[\w-]{1,64}$/, wants: "the attempt's id" },
  mac: { shape: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, wants: "a MAC address" },
};

/** Reads the ticket's text. Unknown fields are fine: a newer appliance may say more. */
export function parseTicket(text: string): TicketFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // JSON.parse's own message quotes the text, and the text holds the token.
    return invalid("it is not JSON");
  }
  if (typeof value !== "object" || value === null) return invalid("it is not an object");
  const fields = value as Record<string, unknown>;
  if (fields.schema !== 1) return invalid(`its schema is ${Number(fields.schema)}, and this agent knows 1`);
  for (const [name, { shape, wants }] of Object.entries(FIELDS)) {
    const field = fields[name];
    if (typeof field !== "string" || !shape.test(field)) return invalid(`${name}: ${wants} expected`);
  }
  const { token, caFingerprint, server, attempt, mac } = fields as AgentTicket;
  return { kind: "ticket", ticket: { token, caFingerprint, server, attempt, mac } };
}

const invalid = (reason: string): TicketFile => ({ kind: "invalid", reason: `the ticket cannot be used: ${reason}` });
