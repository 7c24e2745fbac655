// What this room needs of the appliance's certificate authority. server/secrets keeps the sealed key, server/contract/pki does
// the arithmetic; server/main.ts joins them. Pure: types only.
import type { KeyObject } from "node:crypto";
import type { Ipv4 } from "../../inventory/address.ts";

export type ServerCertificate = {
  /** PEM, leaf first, then the CA: a machine that pinned the CA by fingerprint must see it in the handshake. */
  chain: string;
  /** PEM. */
  key: string;
  /** Milliseconds since 1970. */
  validFrom: number;
  validTo: number;
};

export type Authority = {
  /** SHA-256 of the CA certificate (DER), lower-case hex: what tickets carry. */
  fingerprint: string;
  /** The CA certificate, PEM. */
  certificate: string;
  /** A key and certificate for TLS on these addresses. */
  issueServer(addresses: readonly Ipv4[], now: number): ServerCertificate;
  /** A client certificate (PEM) for a machine's key; its common name is the machine's id. Short-lived. */
  issueClient(publicKey: KeyObject, machineId: string, now: number): string;
};
