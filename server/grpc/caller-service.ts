// Who is at the other end of a connection: read from its client certificate, and judged by the same rule as a renewal. Edge:
// reads the inventory. node-service.ts and config-service.ts ask before anything else.
import type { Mac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import { SlipwayError } from "../contract/errors.ts";
import { parseCertificate } from "../contract/pki/certificate.ts";
import { keyFingerprint as fingerprintOf } from "../contract/pki/key.ts";
import { decideRenewal } from "./enrolment.ts";

export type Caller = { machine: Machine; mac: Mac; keyFingerprint: string; validTo: number };
/** What grpc-js knows of a call's connection. */
export type AuthenticatedCall = { getAuthContext(): { sslPeerCertificate?: { raw: Buffer } } };

/** @throws NOT_ENROLLED unless the connection's certificate is this appliance's, in time, not revoked and its machine's own. */
export async function identifyCaller(
  { inventory, now }: { inventory: Inventory; now: () => number },
  call: AuthenticatedCall,
): Promise<Caller> {
  // grpc-js leaves out certificates that did not verify against the appliance's CA.
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) throw new SlipwayError("NOT_ENROLLED", "a valid client certificate is needed here");
  const certificate = parseCertificate(raw);
  const keyFingerprint = fingerprintOf(certificate.publicKey);
  const machine = await inventory.findMachineById(certificate.subject.commonName ?? "");
  const decision = decideRenewal(machine, keyFingerprint, await inventory.isKeyRevoked(keyFingerprint));
  if (decision.kind === "refuse") throw new SlipwayError("NOT_ENROLLED", decision.reason);
  const validTo = certificate.notAfter.getTime();
  if (now() > validTo) throw new SlipwayError("NOT_ENROLLED", "the client certificate ran out");
  return { machine: machine!, mac: machine!.macs[0]!, keyFingerprint, validTo };
}
