// First contact, enrolment and renewal: what is said to the appliance before there is a stream. Edge: talks over a link.
// run-agent.ts calls it, and decides what to do with each outcome.
import type { X509Certificate } from "node:crypto";
import type { Contact } from "../server/contract/generated/agent.ts";
import { parseCertificatePem } from "../server/contract/pki/certificate.ts";
import { createCsr } from "../server/contract/pki/csr.ts";
import { formatPrivateKey, keyFingerprint } from "../server/contract/pki/key.ts";
import { verifyPinnedChain } from "../server/contract/pki/verify-chain.ts";
import { judgeTimes } from "./chain-times.ts";
import { decideClock } from "./clock.ts";
import { type Answer, type Failure, type Link, openLink } from "./report.ts";
import type { Identity } from "./store.ts";
import type { AgentTicket } from "./ticket.ts";
import type { World } from "./world.ts";

/** Opens a link that trusts the pinned CA only; with an identity it presents the machine's certificate. */
export function openPinnedLink(world: World, server: string, caFingerprint: string, identity?: Identity): Link {
  const judge = (chain: readonly X509Certificate[]) => {
    const verdict = verifyPinnedChain(
      chain.map((certificate) => certificate.raw),
      caFingerprint,
    );
    return verdict.kind === "trusted" ? undefined : verdict.reason;
  };
  if (identity === undefined) return openLink(server, { judge });
  const key = formatPrivateKey(world.store.key());
  return openLink(server, { judge, identity: { certificate: identity.certificate, key } });
}

/**
 * Asks the appliance's time over the pinned channel, sets a clock that is off, and only then judges the chain by time.
 * @returns what the clock said before it was set, when it was.
 */
export async function meet(world: World, link: Link): Promise<Answer<{ clockWasMs?: number }>> {
  const now = await link.now();
  if (now.kind !== "answer") return now;
  const choice = decideClock(world.clock.now(), now.value, world.clockRules());
  if (choice.kind === "set") {
    try {
      world.clock.set(choice.toMs);
      world.log.info(`The clock said ${new Date(choice.wasMs).toISOString()}; it was set from the appliance.`);
    } catch (error) {
      // Not this machine's to set (a container). The chain is still judged by the time that the appliance gave.
      world.log.warn(`The clock is off and could not be set: ${(error as Error).message}`);
    }
  }
  if (choice.kind === "refuse") world.log.warn(`The clock was not set: ${choice.reason}.`);
  else world.clockConfirmed();
  const wrong = judgeTimes(link.chain(), choice.kind === "keep" ? world.clock.now() : now.value);
  if (wrong !== undefined) return { kind: "unreachable", reason: `the appliance is not to be trusted: ${wrong}` };
  return { kind: "answer", value: choice.kind === "set" ? { clockWasMs: choice.wasMs } : {} };
}

/** How the machine came up, for the timeline. */
export function contactOf(world: World, clockWasMs?: number): Contact {
  return {
    bootId: world.bootId,
    kernelMs: BigInt(Math.round(world.startedMs)),
    agentMs: BigInt(Math.max(0, Math.round(world.clock.uptimeMs() - world.startedMs))),
    agentVersion: world.version,
    ...(clockWasMs !== undefined && { clockWasUnixMs: BigInt(Math.round(clockWasMs)) }),
  };
}

/** Trades the ticket for a certificate. Saves nothing: the caller does, and removes the ticket after that. */
export async function enrol(world: World, ticket: AgentTicket): Promise<Answer<Identity>> {
  const link = openPinnedLink(world, ticket.server, ticket.caFingerprint);
  try {
    const met = await meet(world, link);
    if (met.kind !== "answer") return met;
    const key = world.store.key();
    const answer = await link.enrol({
      token: ticket.token,
      csr: createCsr(key, { commonName: ticket.mac }),
      facts: world.observe(),
      contact: contactOf(world, met.value.clockWasMs),
    });
    if (answer.kind !== "answer") return answer;
    const { certificate, caCertificate, machineId, ownerPublicKey } = answer.value;
    const wrong = judgeIssued(world, certificate);
    if (wrong !== undefined) return wrong;
    const { server, caFingerprint, mac } = ticket;
    const value = { machineId, server, caFingerprint, mac, certificate, caCertificate, ownerPublicKey };
    return { kind: "answer", value };
  } finally {
    link.close();
  }
}

/** A fresh certificate for the key that enrolled; works when the last one ran out, too. */
export async function renew(world: World, identity: Identity): Promise<Answer<Identity>> {
  const link = openPinnedLink(world, identity.server, identity.caFingerprint);
  try {
    const met = await meet(world, link);
    if (met.kind !== "answer") return met;
    const csr = createCsr(world.store.key(), { commonName: identity.mac });
    const answer = await link.renew({ machineId: identity.machineId, csr });
    if (answer.kind !== "answer") return answer;
    const { certificate, caCertificate } = answer.value;
    return judgeIssued(world, certificate) ?? { kind: "answer", value: { ...identity, certificate, caCertificate } };
  } finally {
    link.close();
  }
}

/** A certificate for another key could not be used, and must not replace one that can. */
function judgeIssued(world: World, certificate: string): Failure | undefined {
  try {
    const issued = parseCertificatePem(certificate);
    if (keyFingerprint(issued.publicKey) === keyFingerprint(world.store.key())) return undefined;
    return { kind: "unreachable", reason: "the appliance certified another key than this machine's" };
  } catch (error) {
    return { kind: "unreachable", reason: `the appliance's answer cannot be read: ${(error as Error).message}` };
  }
}
