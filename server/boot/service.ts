// The boot service: what the HTTP routes ask when a machine asks. It gathers facts, calls the pure rules (decide,
// script-for, ticket-rules) and writes attempts, tickets and events. The only edge of this room.
import { randomUUID } from "node:crypto";
import { type Mac, parseMac } from "../../inventory/address.ts";
import { type Machine, MOST_UNHEARD } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import { renderScript, type Script } from "../../ipxe/script.ts";
import { SlipwayError } from "../contract/errors.ts";
import { type BootDecision, decideBoot, type Strangers } from "./decide.ts";
import { findUnheard, isSentToOwnDisk } from "./disk-boots.ts";
import { ENTRY_PATH, SCRIPT_PATH } from "./paths.ts";
import type { Log, RecordEvent } from "./ports.ts";
import { type BootImage, IMAGE_ARCH, type ScriptRequest, scriptFor } from "./script-for.ts";
import { identityOf, requestOf, type ScriptQuery } from "./script-request.ts";
import { SourceLimit } from "./source-limit.ts";
import { decideTicketFetch } from "./ticket-rules.ts";
import { makeTicket } from "./ticket-service.ts";

export type BootServiceDeps = {
  inventory: Inventory;
  record: RecordEvent;
  log: Log;
  httpPort: number;
  grpcPort: number;
  /** SHA-256 of the appliance CA's DER, hex. */
  caFingerprint: string;
  ticketMs: number;
  /** What an unknown machine gets on the interface that owns this address. */
  strangersAt: (localIp: string) => Strangers;
  /** The image to netboot for `amd64`, `arm64` …, if there is one. */
  imageFor: (arch: string) => BootImage | undefined;
  /** Which machine holds an address, as the leases and the neighbour table say; undefined when nobody knows. */
  macOf: (ip: string) => Mac | undefined;
};

export type Peer = { remoteIp: string; localIp: string };
export type TicketAnswer = { kind: "ticket"; body: string; mac: Mac } | { kind: "refused"; reason: string; mac?: Mac };

/** Loader fetches count towards a loop for this long (pxe.md 2.9). */
const LOOP_WINDOW_MS = 120_000;

/**
 * Firmware that goes on from PXE to HTTP Boot asks twice in one power-on (OVMF tries all its network entries before the disk):
 * its second question is no second boot.
 */
const SAME_BOOT_MS = 120_000;

const LOOP_REMEDY = "Switch off other network boot servers on this wire; slipway events names them.";

export class BootService {
  readonly #deps: BootServiceDeps;
  /** Source address → attempt, so that image fetches find their timeline. */
  readonly #attempts = new Map<string, { mac: Mac; attemptId: string }>();
  readonly #loaderFetches = new Map<Mac, number[]>();
  /** When a machine was last counted as sent to its disk. */
  readonly #diskBootAt = new Map<string, number>();
  readonly #limit = new SourceLimit();

  constructor(deps: BootServiceDeps) {
    this.#deps = deps;
  }

  entryScript(peer: { localIp: string }): string {
    return renderScript({ kind: "entry", scriptUrl: this.#base(peer.localIp) + SCRIPT_PATH });
  }

  autoexec(peer: { localIp: string }): string {
    return renderScript({ kind: "autoexec", scriptUrl: this.#base(peer.localIp) + SCRIPT_PATH });
  }

  /** For an iPXE that cannot fetch its script and so loads itself again and again. */
  loopScript(peer: { localIp: string }): string {
    const reason = "this iPXE loads iPXE again and again: it does not take the boot script that it is given by HTTP";
    return renderScript(this.#explain(reason, LOOP_REMEDY, peer.localIp));
  }

  /** A script that says what went wrong and asks again: iPXE never meets a bare 404 or 500. */
  faultScript(reason: string, localIp: string): string {
    return renderScript(this.#explain(reason, "On the appliance, see: slipway events", localIp));
  }

  /**
   * The script for the machine that `query` names. Writes the attempt and its ticket before it answers.
   * @throws TOO_MANY_REQUESTS, as {@link ticket} and {@link httpLoader} do: nothing is written then.
   */
  async script(query: ScriptQuery, peer: Peer): Promise<string> {
    this.#assertPatience(peer);
    const mac = parseMac(query.mac ?? "");
    if (mac === undefined) {
      return this.faultScript(`the script request names no MAC address (${query.mac ?? "none"})`, peer.localIp);
    }
    // Who comes this far is in no loop.
    this.#loaderFetches.delete(mac);
    const refused = this.#refuseStranger(mac, peer.remoteIp);
    if (refused !== undefined) return this.faultScript(refused, peer.localIp);
    const request = requestOf(mac, query);
    const machine = await this.#sight(request, query);
    const decision = decideBoot(machine, this.#deps.strangersAt(peer.localIp));
    const image = this.#deps.imageFor(IMAGE_ARCH[request.arch] ?? "");
    const id = randomUUID();
    const script = scriptFor(request, machine, decision, image, this.#base(peer.localIp), id);
    await this.#saveAttempt(id, machine, request, peer, script);
    this.#recordScript(id, machine, request, decision, script);
    if (isSentToOwnDisk(machine, decision)) await this.#countDiskBoot(machine, id);
    return renderScript(script);
  }

  /** Makes a new token for the ticket, unless the rules refuse; the token is stored as its hash only. */
  async ticket(id: string, peer: Peer): Promise<TicketAnswer> {
    this.#assertPatience(peer);
    const now = Date.now();
    const ticket = await this.#deps.inventory.findTicket(id);
    const fetch = decideTicketFetch(ticket, peer.remoteIp, now);
    if (fetch.kind === "refuse" || ticket === undefined) {
      const reason = fetch.kind === "refuse" ? fetch.reason : "there is no such ticket";
      return { kind: "refused", reason, ...(ticket && { mac: ticket.mac }) };
    }
    const { ticket: body, tokenHash } = makeTicket(this.#deps, { mac: ticket.mac, localIp: peer.localIp, attempt: id });
    const written = await this.#deps.inventory.replaceTicket(ticket, { ...ticket, tokenHash, fetchedAt: now });
    if (!written) return { kind: "refused", reason: "another request was faster", mac: ticket.mac };
    return { kind: "ticket", body: `${JSON.stringify(body)}\n`, mac: ticket.mac };
  }

  /** Whether firmware HTTP Boot gets its loader; anything but `serve` is a 404 that sends the firmware on to its disk. */
  async httpLoader(macText: string, peer: Peer): Promise<"serve" | "disk" | "ignore"> {
    this.#assertPatience(peer);
    const mac = parseMac(macText);
    if (mac === undefined) return "ignore";
    const machine = await this.#deps.inventory.findMachineByMac(mac);
    const decision = decideBoot(machine, this.#deps.strangersAt(peer.localIp));
    if (decision.kind === "os") return "serve";
    this.#deps.record({ kind: "to-disk", mac, detail: { reason: decision.reason } });
    if (isSentToOwnDisk(machine, decision) && !this.#isSameBoot(machine)) await this.#countDiskBoot(machine);
    return decision.kind;
  }

  /** The boot attempt that an address is in, for the timeline. */
  attemptOf(ip: string): { mac: Mac; attemptId: string } | undefined {
    return this.#attempts.get(ip);
  }

  /** Counts a delivered iPXE binary towards the loop guard. */
  noteLoaderFetched(mac: Mac): void {
    const now = Date.now();
    const recent = (this.#loaderFetches.get(mac) ?? []).filter((at) => now - at < LOOP_WINDOW_MS);
    this.#loaderFetches.set(mac, [...recent, now].slice(-10));
    if (this.#loaderFetches.size > 10_000) this.#loaderFetches.delete(this.#loaderFetches.keys().next().value!);
  }

  /** How often this client fetched our iPXE in the last two minutes. */
  loopCount(mac: Mac): number {
    const now = Date.now();
    return (this.#loaderFetches.get(mac) ?? []).filter((at) => now - at < LOOP_WINDOW_MS).length;
  }

  #base(localIp: string): string {
    return `http://${localIp}:${this.#deps.httpPort}`;
  }

  /** What is asked for here costs a write, and anybody may ask. */
  #assertPatience({ remoteIp }: Peer): void {
    if (this.#limit.take(remoteIp, performance.now())) return;
    throw new SlipwayError("TOO_MANY_REQUESTS", `${remoteIp} asks more than once a second`);
  }

  #explain(reason: string, remedy: string, localIp: string): Script {
    return { kind: "explain", reason, remedy, retryUrl: this.#base(localIp) + ENTRY_PATH, seconds: 10 };
  }

  /** A machine that holds an address of ours must not speak for another one. */
  #refuseStranger(mac: Mac, remoteIp: string): string | undefined {
    const holder = this.#deps.macOf(remoteIp);
    if (holder === undefined || holder === mac) return undefined;
    const reason = `${remoteIp} belongs to ${holder}, yet the request speaks for ${mac}`;
    this.#deps.record({ kind: "ticket-refused", mac, detail: { reason } });
    this.#deps.log.warn(`A boot script was refused: ${reason}.`);
    return reason;
  }

  #sight(request: ScriptRequest, query: ScriptQuery): Promise<Machine> {
    return this.#deps.inventory.sightMachine({
      mac: request.mac,
      at: Date.now(),
      arch: IMAGE_ARCH[request.arch] ?? request.arch,
      firmware: request.platform === "efi" ? "uefi" : "bios",
      ...identityOf(query),
      activity: "loading",
    });
  }

  async #saveAttempt(id: string, machine: Machine, request: ScriptRequest, peer: Peer, script: Script): Promise<void> {
    const now = Date.now();
    const { mac, platform, arch } = request;
    const common = { id, machineId: machine.id, mac, sourceIp: peer.remoteIp };
    const ticket = { ...common, issuedAt: now, expiresAt: now + this.#deps.ticketMs };
    const attempt = { ...common, startedAt: now, platform, arch, decision: script.kind };
    await this.#deps.inventory.saveAttempt(attempt, script.kind === "os" ? ticket : undefined);
    this.#attempts.delete(peer.remoteIp);
    this.#attempts.set(peer.remoteIp, { mac, attemptId: id });
    if (this.#attempts.size > 10_000) this.#attempts.delete(this.#attempts.keys().next().value!);
  }

  #isSameBoot(machine: Machine): boolean {
    return Date.now() - (this.#diskBootAt.get(machine.id) ?? 0) < SAME_BOOT_MS;
  }

  /** On disk, so that a restart of the appliance does not begin anew. */
  async #countDiskBoot(machine: Machine, attemptId?: string): Promise<void> {
    const { inventory, record, log } = this.#deps;
    const diskBoots = (machine.diskBoots ?? 0) + 1;
    this.#diskBootAt.set(machine.id, Date.now());
    if (this.#diskBootAt.size > 10_000) this.#diskBootAt.delete(this.#diskBootAt.keys().next().value!);
    await inventory.changeMachines([], [{ id: machine.id, diskBoots }], "slipway");
    // This boot has its chance yet; those before it had theirs.
    const unheard = diskBoots - 1;
    const fault = findUnheard(machine, unheard);
    if (fault === undefined) return;
    const { reason, remedy } = fault;
    await inventory.moveActivity(machine.id, "failed", `${reason}: ${remedy}`);
    if (unheard !== MOST_UNHEARD) return;
    const mac = machine.macs[0]!;
    record({ kind: "disk-unheard", mac, ...(attemptId && { attemptId }), detail: { count: unheard, remedy } });
    log.warn(`${machine.name ?? mac}: ${reason}.`, { mac });
  }

  #recordScript(id: string, machine: Machine, request: ScriptRequest, decision: BootDecision, script: Script): void {
    const { mac, platform, arch } = request;
    const told = script.kind === "explain" ? script.reason : `${WORDS[decision.kind]} (${decision.reason})`;
    this.#deps.record({ kind: "script", mac, attemptId: id, detail: { platform, arch, decision: told } });
    if (script.kind === "disk")
      this.#deps.record({ kind: "to-disk", mac, attemptId: id, detail: { reason: decision.reason } });
    this.#deps.log.info(`${machine.name ?? mac}: ${told}`, { mac, arch, platform });
  }
}

const WORDS = { os: "load Slipway OS", disk: "go on to the disk", ignore: "no boot data" } as const;
