// POST /v1/tickets: a ticket for a machine that no boot script led here (a container node). Who may open the admin socket
// may have one; the machine's timeline says who did. The answer holds a secret and is never logged.
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { parseIpv4, parseMac } from "../../inventory/address.ts";
import type { IssuedTicket, TicketOrder } from "../boot/ticket-service.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { AdminDeps } from "./app.ts";
import { ERROR_BODY } from "./schema.ts";

/** The appliance's own way to a ticket: server/boot/ticket-service.ts with its deps filled in. */
export type IssueTicket = (order: TicketOrder) => Promise<IssuedTicket>;

const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };

export const TICKET_BODY = z.object({
  mac: z.string().describe("The MAC address that the machine shows."),
  address: z
    .string()
    .optional()
    .describe("The appliance's address as the machine reaches it; default: the first served."),
  arch: z.enum(["amd64", "arm64"]).optional(),
});
export type TicketBody = z.infer<typeof TICKET_BODY>;

export const TICKET_RESULT = z.object({
  schema: z.literal(1),
  token: z.string().describe("Secret. Good for one key, for 15 minutes."),
  caFingerprint: z.string(),
  server: z.string(),
  attempt: z.string(),
  mac: z.string(),
});
export type TicketView = z.infer<typeof TICKET_RESULT>;

export function addTicketRoutes(app: FastifyInstance, deps: AdminDeps, issue: IssueTicket): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    "/v1/tickets",
    {
      schema: {
        summary: "A ticket for a machine that is started without a boot script, as /run/slipway/ticket.json holds it",
        body: TICKET_BODY,
        response: { 200: TICKET_RESULT, ...FAULTS },
      },
    },
    async (request, reply) => {
      const { mac, address, arch } = request.body;
      const actor = deps.actorOf(request);
      const own = (await deps.status()).interfaces.flatMap((one) => one.addresses);
      const order = { mac: checkMac(mac), localIp: chooseAddress(own, address), actor, ...(arch && { arch }) };
      reply.header("cache-control", "no-store");
      return issue(order);
    },
  );
}

function checkMac(text: string): string {
  const mac = parseMac(text);
  if (mac !== undefined) return mac;
  throw new SlipwayError("BAD_REQUEST", `mac: "${text}" is no MAC address; like 52:54:00:12:34:56`);
}

/** @throws BAD_REQUEST when the address is none of ours, BAD_CONFIG when we have none. */
function chooseAddress(own: readonly string[], wanted: string | undefined): string {
  const ipv4 = own.filter((address) => parseIpv4(address) !== undefined);
  if (wanted !== undefined && !ipv4.includes(wanted)) {
    const has = ipv4.length > 0 ? ipv4.join(", ") : "none";
    throw new SlipwayError("BAD_REQUEST", `address: ${wanted} is no address of this appliance; it has ${has}`);
  }
  const chosen = wanted ?? ipv4[0];
  if (chosen !== undefined) return chosen;
  throw new SlipwayError(
    "BAD_CONFIG",
    "no served interface has an IPv4 address: a machine would not reach this appliance",
    {
      remedy: "Give the interface an address, or name one that has with --interface.",
    },
  );
}
