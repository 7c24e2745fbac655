// Which address belongs to which machine by a person's word: "from approval on, a machine's address is its reservation".
// Kept by leases.ts from the inventory's machines. Pure.
import { ipv4ToNumber, type Mac } from "../../inventory/address.ts";
import type { Lifecycle, Machine } from "../../inventory/machine.ts";

/** What a reservation needs to know of a machine. */
export type Reserving = Pick<Machine, "id" | "macs" | "address" | "lifecycle">;

const RESERVING: ReadonlySet<Lifecycle> = new Set(["approved", "installed", "ready"]);

/** Machine → reserved address and back. */
export class Reservations {
  readonly #byId = new Map<string, { address: number; macs: readonly Mac[] }>();
  readonly #idOfMac = new Map<Mac, string>();
  readonly #idOfAddress = new Map<number, string>();

  /**
   * Takes over a machine as it is now.
   * @returns the address that it reserved before and does not any more.
   */
  set(machine: Reserving): number | undefined {
    const before = this.delete(machine.id);
    if (machine.address === undefined || !RESERVING.has(machine.lifecycle)) return before;
    const address = ipv4ToNumber(machine.address);
    this.#byId.set(machine.id, { address, macs: machine.macs });
    this.#idOfAddress.set(address, machine.id);
    for (const mac of machine.macs) this.#idOfMac.set(mac, machine.id);
    return before === address ? undefined : before;
  }

  /** Forgets a machine. @returns the address that it reserved. */
  delete(machineId: string): number | undefined {
    const reserved = this.#byId.get(machineId);
    if (reserved === undefined) return undefined;
    this.#byId.delete(machineId);
    // Another machine may have taken a MAC or the address over in the meantime.
    if (this.#idOfAddress.get(reserved.address) === machineId) this.#idOfAddress.delete(reserved.address);
    for (const mac of reserved.macs) {
      if (this.#idOfMac.get(mac) === machineId) this.#idOfMac.delete(mac);
    }
    return reserved.address;
  }

  addressFor(mac: Mac): number | undefined {
    const id = this.#idOfMac.get(mac);
    return id === undefined ? undefined : this.#byId.get(id)?.address;
  }

  isReserved(address: number): boolean {
    return this.#idOfAddress.has(address);
  }

  isReservedForOther(address: number, mac: Mac): boolean {
    const owner = this.#idOfAddress.get(address);
    return owner !== undefined && this.#idOfMac.get(mac) !== owner;
  }
}
