// What a decision does to the lease book, as data: decideReply makes it, LeaseBook.apply does it. Pure: types only.
import type { Cidr, Ipv4 } from "../../inventory/address.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { BootClient } from "../boot/client.ts";

/** Who a lease belongs to: the MAC; for hardware without one, `id-` and option 61 in hex (pxe.md 1.11). */
export type ClientKey = string;

/** An address held for a machine until it asks for it. Keyed by machine, never by xid (pxe.md 1.4). */
export type Offer = {
  subnet: Cidr;
  address: Ipv4;
  key: ClientKey;
  /** Seconds since 1970. */
  until: number;
  /** A Pi's REQUEST does not say any more what it is (rpi-eeprom #82). */
  client: BootClient;
};

export type LeaseChange =
  | { kind: "offer"; offer: Offer }
  | { kind: "drop-offer"; subnet: Cidr; key: ClientKey }
  | { kind: "lease"; lease: Lease };
