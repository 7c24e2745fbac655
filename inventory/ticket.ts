// A boot attempt's ticket: what lets the OS that this attempt loaded enrol, once (design §6.1). The token itself is never
// stored, only its SHA-256. Pure.
import type { Ipv4, Mac } from "./address.ts";

export type BootAttempt = {
  id: string;
  machineId: string;
  mac: Mac;
  /** Milliseconds since 1970. */
  startedAt: number;
  /** Where the script was asked from. */
  sourceIp: Ipv4;
  platform?: string;
  arch?: string;
  decision: string;
};

export type Ticket = {
  /** Also the attempt's id; it stands in URLs and is no secret. */
  id: string;
  machineId: string;
  mac: Mac;
  /** Only this address may fetch the ticket. */
  sourceIp: Ipv4;
  /** Milliseconds since 1970. */
  issuedAt: number;
  expiresAt: number;
  /** SHA-256 of the token handed out last, hex; undefined until the first fetch. */
  tokenHash?: string;
  fetchedAt?: number;
  /** SHA-256 of the first CSR's public key (SPKI DER), hex: only it may ask again. */
  keyFingerprint?: string;
  spentAt?: number;
};
