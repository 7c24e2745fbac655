// The agent's life: find the ticket or the identity, enrol, stay in touch, for ever. Edge: waits, and calls what does the work.
// Nothing here ends the process but the signal: each outcome is shown on the screen and tried again, or waited for.
import type { Facts } from "../server/contract/generated/agent.ts";
import { keyFingerprint } from "../server/contract/pki/key.ts";
import { backoffMs } from "./backoff.ts";
import { Duties } from "./run-duties.ts";
import { enrol, renew } from "./run-enrol.ts";
import { type Progressed, runSession, type SessionEnd } from "./run-session.ts";
import { rememberPairingCode } from "./screen-pairing-code.ts";
import { type Standing, statusOf } from "./status.ts";
import type { Identity } from "./store.ts";
import type { World } from "./world.ts";

/** How often the ticket's file is looked for while there is none, or only one that was refused. */
const TICKET_EVERY_MS = 5000;
/** A machine that the appliance does not want may be wanted again: somebody un-retired it. */
const STRANGER_WAIT_MS = 30_000;

/** Runs until the signal says stop. */
export async function runAgent(world: World, signal: AbortSignal): Promise<void> {
  const progressed: Progressed = { ackedSeq: -1, wasInTouch: false };
  const face = new Face(world);
  const duties = new Duties(world, () => face.redraw(), signal);
  face.duties = duties;
  world.notify("READY=1");
  // The node first: it needs no appliance, and nobody waits for one on its account.
  duties.start();
  const life: Life = { world, face, duties };
  while (!signal.aborted) {
    const identity = world.store.readIdentity() ?? (await obtainIdentity(life, signal));
    if (identity !== undefined) await stayInTouch(life, identity, progressed, signal);
  }
  world.notify("STOPPING=1");
  await duties.stop();
}

type Life = { world: World; face: Face; duties: Duties };
type Shown = { mac: string; server: string; caFingerprint: string };

/** Draws the screen, and tells systemd the same in one line. */
class Face {
  readonly #world: World;
  readonly #pairingCode = rememberPairingCode();
  duties: Duties | undefined;
  #facts: Facts | undefined;
  #shown: Shown | undefined;
  #standing: Standing = { kind: "starting" };

  constructor(world: World) {
    this.#world = world;
  }

  show(shown: Shown | undefined, standing: Standing, facts?: Facts): void {
    this.#shown = shown;
    this.#standing = standing;
    this.#facts = facts ?? this.#world.observe();
    this.redraw();
  }

  /** With the facts of the last look: progress comes once a second, and disks are not read for it. */
  redraw(): void {
    const [shown, world] = [this.#shown, this.#world];
    this.#facts ??= world.observe();
    const status = statusOf({
      facts: this.#facts,
      standing: this.#standing,
      work: this.duties?.work() ?? { kind: "none" },
      running: this.duties?.running(),
      mac: shown?.mac ?? "",
      server: shown?.server ?? "",
      pairingCode: shown === undefined ? "" : this.#pairingCode(shown.caFingerprint, keyFingerprint(world.store.key())),
    });
    world.show(status);
    world.notify(`STATUS=${status.state}`);
  }
}

/** How often a waiting agent looks whether an address came. */
const LOOK_EVERY_MS = 250;

/**
 * Waits before the next try, and no longer once an address came: the agent is up before DHCP is, and a full backoff would cost
 * each boot up to sixteen seconds.
 */
async function waitForNetwork(world: World, ms: number, signal: AbortSignal): Promise<void> {
  const before = world.addresses();
  for (let waitedMs = 0; waitedMs < ms && !signal.aborted; waitedMs += LOOK_EVERY_MS) {
    await world.wait(Math.min(LOOK_EVERY_MS, ms - waitedMs), signal);
    if (world.addresses() !== before) return;
  }
}

/** Waits for a ticket and trades it in. Returns undefined when the signal says stop. */
async function obtainIdentity({ world, face }: Life, signal: AbortSignal): Promise<Identity | undefined> {
  let refusedToken = "";
  let failures = 0;
  while (!signal.aborted) {
    const file = world.store.readTicket();
    if (file?.kind !== "ticket" || file.ticket.token === refusedToken) {
      if (file?.kind !== "ticket") face.show(undefined, { kind: "no-ticket", reason: file?.reason ?? NO_TICKET });
      await world.wait(TICKET_EVERY_MS, signal);
      continue;
    }
    if (failures === 0) face.show(file.ticket, { kind: "enrolling" });
    const answer = await enrol(world, file.ticket);
    if (answer.kind === "answer") return keepIdentity(world, answer.value);
    face.show(file.ticket, answer.kind === "unreachable" ? answer : { kind: "refused", reason: answer.reason });
    world.log.warn(`Enrolment: ${answer.reason}`);
    if (answer.kind === "unreachable") await waitForNetwork(world, backoffMs(++failures, world.chance()), signal);
    else refusedToken = file.ticket.token;
  }
  return undefined;
}

const NO_TICKET = "it was not booted by a Slipway appliance, or the boot came without one";

/** The identity first, then the ticket's end: killed in between, the restarted agent has the one that still works. */
function keepIdentity(world: World, identity: Identity): Identity {
  world.store.saveIdentity(identity);
  world.store.removeTicket();
  world.log.info(`Enrolled with ${identity.server}.`);
  return identity;
}

/** Session after session, until the signal says stop or the identity changed. */
async function stayInTouch(life: Life, identity: Identity, progressed: Progressed, signal: AbortSignal): Promise<void> {
  const { world, face, duties } = life;
  let current = identity;
  let failures = 0;
  while (!signal.aborted) {
    progressed.wasInTouch = false;
    const events = {
      duties,
      onState: (state: Parameters<typeof inTouch>[0], disk: Parameters<typeof inTouch>[1], facts: Facts) =>
        face.show(current, inTouch(state, disk), facts),
    };
    const end = await runSession(world, current, progressed, events, signal);
    if (end.kind === "stopped") return;
    failures = progressed.wasInTouch ? 1 : failures + 1;
    current = await recover(life, current, end, failures, signal);
  }
}

const inTouch = (
  state: Extract<Standing, { kind: "in-touch" }>["state"],
  disk: Extract<Standing, { kind: "in-touch" }>["disk"],
): Standing => ({ kind: "in-touch", state, ...(disk !== undefined && { disk }) });

/** What follows a session's end: a new certificate, a wait, or both. Returns the identity to go on with. */
async function recover(
  { world, face }: Life,
  identity: Identity,
  end: Exclude<SessionEnd, { kind: "stopped" }>,
  failures: number,
  signal: AbortSignal,
): Promise<Identity> {
  if (end.kind === "unreachable" || end.kind === "refused") {
    world.log.warn(end.reason);
    face.show(identity, { kind: "unreachable", reason: end.reason });
    await waitForNetwork(world, backoffMs(failures, world.chance()), signal);
    return identity;
  }
  // The certificate is old, or no longer good enough: the enrolled key is what counts.
  const renewed = await renew(world, identity);
  if (renewed.kind === "answer") {
    world.store.saveIdentity(renewed.value);
    world.log.info("The certificate was renewed.");
    if (end.kind === "stranger") await world.wait(backoffMs(failures, world.chance()), signal);
    return renewed.value;
  }
  const isRefused = renewed.kind !== "unreachable";
  const fresh = isRefused ? await enrolAnew(world) : undefined;
  if (fresh !== undefined) return fresh;
  world.log.warn(`Renewal: ${renewed.reason}`);
  face.show(
    identity,
    isRefused ? { kind: "refused", reason: renewed.reason } : { kind: "unreachable", reason: renewed.reason },
  );
  await world.wait(isRefused ? STRANGER_WAIT_MS : backoffMs(failures, world.chance()), signal);
  return identity;
}

/**
 * A container node keeps its identity over restarts, and its host may give it a new ticket (its old key was revoked, its entry
 * removed): when the old one is refused for good, the ticket is tried. Elsewhere a ticket goes before an identity anyway.
 */
async function enrolAnew(world: World): Promise<Identity | undefined> {
  const file = world.bootSource === "container" ? world.store.readTicket() : undefined;
  if (file?.kind !== "ticket") return undefined;
  const answer = await enrol(world, file.ticket);
  if (answer.kind === "answer") return keepIdentity(world, answer.value);
  world.log.warn(`Enrolment: ${answer.reason}`);
  return undefined;
}
