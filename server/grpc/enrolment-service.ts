// The Enrolment service: gathers what enrolment.ts decides on, writes the outcome, answers. Edge: reads and writes the
// inventory. server.ts registers it. Neither token nor CSR is ever logged.
import { createHash } from "node:crypto";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { Ticket } from "../../inventory/ticket.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { Contact, EnrolRequest, EnrolResponse, RenewRequest, RenewResponse } from "../contract/generated/agent.ts";
import { pairingCode } from "../contract/pairing-code.ts";
import { type CertificateRequest, parseCsr } from "../contract/pki/csr.ts";
import { TokenBucket } from "../contract/token-bucket.ts";
import type { Authority } from "./authority.ts";
import { decideEnrolment, decideRenewal, type EnrolmentDecision } from "./enrolment.ts";
import { saveFacts } from "./facts-service.ts";
import { formatTime, macsOf } from "./node-facts.ts";

export type EnrolmentDeps = {
  inventory: Inventory;
  authority: Authority;
  log: Log;
  record: RecordEvent;
  /** Milliseconds since 1970. */
  now: () => number;
  /** SPKI PEM of the owner's Ed25519 key; empty when there is none. */
  ownerPublicKey: string;
  /** Ends the streams that an earlier key of this machine holds. */
  dropSessions: (keyFingerprint: string, reason: string) => void;
};

/** Two requests with one ticket may race; each loser reads again and decides anew. */
const MOST_RACES = 4;
/** Strangers without a ticket may not fill the event log. */
const STRANGERS = { burst: 20, perSecond: 0.5 };

type Accepted = { ticket: Ticket; machine: Machine; revokes: string | undefined };

export class EnrolmentRules {
  readonly #deps: EnrolmentDeps;
  readonly #strangers: TokenBucket;
  /** Machine id → its enrolment under way: two tickets of one machine are spent one after the other, so that the later revokes the earlier. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(deps: EnrolmentDeps) {
    this.#deps = deps;
    this.#strangers = new TokenBucket(STRANGERS, deps.now());
  }

  /** @throws TICKET_REFUSED with the reason, BAD_REQUEST for a CSR that is none. */
  async enrol(request: EnrolRequest): Promise<EnrolResponse> {
    const csr = parseCsr(request.csr);
    const ticket = await this.#deps.inventory.findTicketByTokenHash(hashOf(request.token));
    if (ticket === undefined) return this.#enrol(request, csr);
    const turn = (this.#turns.get(ticket.machineId) ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.#enrol(request, csr));
    this.#turns.set(ticket.machineId, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(ticket.machineId) === turn) this.#turns.delete(ticket.machineId);
    }
  }

  async #enrol(request: EnrolRequest, csr: CertificateRequest): Promise<EnrolResponse> {
    const { authority, ownerPublicKey, now } = this.#deps;
    const { machine, ticket, revokes } = await this.#spend(request, csr.keyFingerprint);
    if (revokes !== undefined) await this.#revoke(machine, ticket, revokes);
    const certificate = authority.issueClient(csr.publicKey, machine.id, now());
    const code = pairingCode(authority.fingerprint, csr.keyFingerprint);
    const isNew = machine.keyFingerprint !== csr.keyFingerprint;
    await this.#save(machine, ticket, request, { keyFingerprint: csr.keyFingerprint, pairingCode: code });
    if (isNew) await this.#recordEnrolled(machine, ticket, request.contact, code);
    return {
      certificate,
      caCertificate: authority.certificate,
      machineId: machine.id,
      machineName: machine.name ?? "",
      pairingCode: code,
      ownerPublicKey,
      nowUnixMs: BigInt(now()),
    };
  }

  /** @throws NOT_ALLOWED with the reason, BAD_REQUEST for a CSR that is none. */
  async renew(request: RenewRequest): Promise<RenewResponse> {
    const { inventory, authority, now, log, record } = this.#deps;
    const csr = parseCsr(request.csr);
    const machine = await inventory.findMachineById(request.machineId);
    const decision = decideRenewal(machine, csr.keyFingerprint, await inventory.isKeyRevoked(csr.keyFingerprint));
    if (decision.kind === "refuse" || machine === undefined) {
      const reason = decision.kind === "refuse" ? decision.reason : "the inventory does not know this machine";
      const mac = machine?.macs[0];
      if (this.#strangers.take(now())) {
        record({ kind: "enrol-refused", ...(mac && { mac }), detail: { reason } });
        log.warn(`${mac ?? "A machine"} was refused a new certificate: ${reason}.`);
      }
      throw new SlipwayError("NOT_ALLOWED", reason, { remedy: "Boot the machine from the network: it enrols anew." });
    }
    const certificate = authority.issueClient(csr.publicKey, machine.id, now());
    return { certificate, caCertificate: authority.certificate };
  }

  /** Binds the ticket to the key, on disk, before anything else happens. */
  async #spend(request: EnrolRequest, keyFingerprint: string): Promise<Accepted> {
    const { inventory, now } = this.#deps;
    const tokenHash = hashOf(request.token);
    for (let race = 0; race < MOST_RACES; race++) {
      const ticket = await inventory.findTicketByTokenHash(tokenHash);
      const machine = ticket && (await inventory.findMachineById(ticket.machineId));
      const isKeyRevoked = await inventory.isKeyRevoked(keyFingerprint);
      const macs = macsOf(request.facts);
      const decision = decideEnrolment({ ticket, machine, keyFingerprint, isKeyRevoked, macs, now: now() });
      if (decision.kind === "refuse") return await this.#refuse(decision, ticket, request);
      const isBound = decision.ticket === ticket || (await inventory.replaceTicket(ticket!, decision.ticket));
      if (isBound) return { ticket: decision.ticket, machine: machine!, revokes: decision.revokes };
    }
    throw new SlipwayError("CONFLICT", "too many requests with one ticket at once", { remedy: "Ask again." });
  }

  async #refuse(
    { reason }: Extract<EnrolmentDecision, { kind: "refuse" }>,
    ticket: Ticket | undefined,
    request: EnrolRequest,
  ): Promise<never> {
    const { inventory, record, log, now } = this.#deps;
    // Without a ticket the MAC is only a claim: it names a timeline that exists, and never makes a machine.
    const claimed = ticket === undefined ? macsOf(request.facts)[0] : undefined;
    const known = claimed === undefined ? undefined : await inventory.findMachineByMac(claimed);
    const mac = ticket?.mac ?? (known === undefined ? undefined : claimed);
    if (ticket !== undefined || this.#strangers.take(now())) {
      const attemptId = ticket?.id;
      record({ kind: "enrol-refused", ...(mac && { mac }), ...(attemptId && { attemptId }), detail: { reason } });
      log.warn(`${mac ?? "A machine"} was refused enrolment: ${reason}.`);
    }
    throw new SlipwayError("TICKET_REFUSED", reason);
  }

  async #revoke(machine: Machine, ticket: Ticket, keyFingerprint: string): Promise<void> {
    await this.#deps.inventory.revokeKey(keyFingerprint, machine.id, "the machine enrolled again");
    this.#deps.dropSessions(keyFingerprint, "the machine enrolled again with another key");
    this.#deps.record({ kind: "certificate-revoked", mac: ticket.mac, attemptId: ticket.id });
  }

  async #save(
    machine: Machine,
    ticket: Ticket,
    request: EnrolRequest,
    key: { keyFingerprint: string; pairingCode: string },
  ): Promise<void> {
    const { inventory } = this.#deps;
    await inventory.changeMachines([], [{ id: machine.id, ...key }], `machine ${ticket.mac}`);
    if (request.facts !== undefined) await saveFacts(this.#deps, machine.id, request.facts);
    await inventory.moveActivity(machine.id, "running");
  }

  async #recordEnrolled(machine: Machine, ticket: Ticket, contact: Contact | undefined, code: string): Promise<void> {
    const { inventory, record, log } = this.#deps;
    const about = { mac: ticket.mac, attemptId: ticket.id };
    if (contact !== undefined) {
      // A container's kernel is its host's, and runs for days.
      const isContainer = (await inventory.findAttempt(ticket.id))?.platform === "container";
      record({ kind: "agent-contact", ...about, detail: contactDetail(contact, isContainer) });
      if (contact.clockWasUnixMs !== undefined) {
        record({ kind: "clock-set", ...about, detail: { was: formatTime(contact.clockWasUnixMs) } });
      }
    }
    record({ kind: "enrolled", ...about, detail: { pairingCode: code, ...(machine.name && { name: machine.name }) } });
    log.info(`${machine.name ?? ticket.mac} enrolled; pairing code ${code}.`, { mac: ticket.mac });
  }
}

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Kernel and system until the agent's start, then the agent until this request, in milliseconds. */
const contactDetail = ({ kernelMs, agentMs }: Contact, isContainer: boolean) => ({
  ...(!isContainer && { kernelMs: Number(kernelMs) }),
  ms: Number(agentMs),
});
