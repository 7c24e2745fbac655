// One address given to one machine for a time. Pure.
import type { Cidr, Ipv4, Mac } from "./address.ts";

export type LeaseState = "bound" | "released" | "declined";

export type Lease = {
  /** The network the address belongs to: `192.0.2.0/24`. With `address` the key. */
  subnet: Cidr;
  address: Ipv4;
  /** Hardware address; the key of a client (pxe.md 1.11), never option 61. */
  mac: Mac;
  /** Option 61 as hex, kept as an attribute. */
  clientId?: string;
  hostname?: string;
  /** A declined address belongs to nobody until `expiresAt`. */
  state: LeaseState;
  /** Seconds since 1970. */
  startedAt: number;
  expiresAt: number;
};
