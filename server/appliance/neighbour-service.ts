// Which machine holds an address: our own leases first, then the kernel's neighbour table (in proxy mode the leases are
// another server's). Edge: reads the table.
import type { Ipv4, Mac } from "../../inventory/address.ts";
import { arpOf } from "../dhcp/read-neighbours.ts";

export class Neighbours {
  #leases: { macOf(ip: Ipv4): Mac | undefined } | undefined;

  /** Leases are known once DHCP runs. */
  setLeases(leases: { macOf(ip: Ipv4): Mac | undefined }): void {
    this.#leases = leases;
  }

  /** undefined when nobody knows: a machine behind a router, or one that has just come. */
  macOf(ip: Ipv4): Mac | undefined {
    return this.#leases?.macOf(ip) ?? arpOf(ip);
  }
}
