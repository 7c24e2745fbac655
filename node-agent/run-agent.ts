// The agent's life: find the ticket or the identity, enrol, stay in touch, for ever. Edge: waits, and calls what does the work.
// Nothing here ends the process but the signal: each outcome is shown on the screen and tried again, or waited for.
import type { Facts } from "../server/contract/generated/agent.ts";
import { pairingCode } from "../server/contract/pairing-code.ts";
import { keyFingerprint } from "../server/contract/pki/key.ts";
import { backoffMs } from "./backoff.ts";
import { enrol, renew } from "./run-enrol.ts";
import { type Progressed, runSession, type SessionEnd } from "./run-session.ts";
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
  world.notify("READY=1");
  while (!signal.aborted) {
    const identity = world.store.readIdentity() ?? (await obtainIdentity(world, signal));
    if (identity !== undefined) await stayInTouch(world, identity, progressed, signal);
  }
  world.notify("STOPPING=1");
}

type Shown = { mac: string; server: string; caFingerprint: string };

/** Draws the screen, and tells systemd the same in one line. */
function show(world: World, shown: Shown | undefined, standing: Standing, facts?: Facts): void {
  const known = {
    facts: facts ?? world.observe(),
    standing,
    mac: shown?.mac ?? "",
    server: shown?.server ?? "",
    pairingCode: shown === undefined ? "" : pairingCode(shown.caFingerprint, keyFingerprint(world.store.key())),
  };
  const status = statusOf(known);
  world.show(status);
  world.notify(`STATUS=${status.state}`);
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
async function obtainIdentity(world: World, signal: AbortSignal): Promise<Identity | undefined> {
  let refusedToken = "";
  let failures = 0;
  while (!signal.aborted) {
    const file = world.store.readTicket();
    if (file?.kind !== "ticket" || file.ticket.token === refusedToken) {
      if (file?.kind !== "ticket") show(world, undefined, { kind: "no-ticket", reason: file?.reason ?? NO_TICKET });
      await world.wait(TICKET_EVERY_MS, signal);
      continue;
    }
    if (failures === 0) show(world, file.ticket, { kind: "enrolling" });
    const answer = await enrol(world, file.ticket);
    if (answer.kind === "answer") return keepIdentity(world, answer.value);
    show(world, file.ticket, answer.kind === "unreachable" ? answer : { kind: "refused", reason: answer.reason });
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
async function stayInTouch(
  world: World,
  identity: Identity,
  progressed: Progressed,
  signal: AbortSignal,
): Promise<void> {
  let current = identity;
  let failures = 0;
  while (!signal.aborted) {
    progressed.wasInTouch = false;
    const events = {
      onState: (state: Parameters<typeof inTouch>[0], disk: Parameters<typeof inTouch>[1], facts: Facts) =>
        show(world, current, inTouch(state, disk), facts),
    };
    const end = await runSession(world, current, progressed, events, signal);
    if (end.kind === "stopped") return;
    failures = progressed.wasInTouch ? 1 : failures + 1;
    current = await recover(world, current, end, failures, signal);
  }
}

const inTouch = (
  state: Extract<Standing, { kind: "in-touch" }>["state"],
  disk: Extract<Standing, { kind: "in-touch" }>["disk"],
): Standing => ({ kind: "in-touch", state, ...(disk !== undefined && { disk }) });

/** What follows a session's end: a new certificate, a wait, or both. Returns the identity to go on with. */
async function recover(
  world: World,
  identity: Identity,
  end: Exclude<SessionEnd, { kind: "stopped" }>,
  failures: number,
  signal: AbortSignal,
): Promise<Identity> {
  if (end.kind === "unreachable" || end.kind === "refused") {
    world.log.warn(end.reason);
    show(world, identity, { kind: "unreachable", reason: end.reason });
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
  world.log.warn(`Renewal: ${renewed.reason}`);
  show(
    world,
    identity,
    isRefused ? { kind: "refused", reason: renewed.reason } : { kind: "unreachable", reason: renewed.reason },
  );
  await world.wait(isRefused ? STRANGER_WAIT_MS : backoffMs(failures, world.chance()), signal);
  return identity;
}
