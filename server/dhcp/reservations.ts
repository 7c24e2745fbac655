// Which address belongs to which machine by a person's word: "from approval on, a machine's address is its reservation".
// Kept by leases.ts from the inventory's machines. Pure.
import { ipv4ToNumber, type Mac } from "../../inventory/address.ts";
import type { Lifecycle, Machine } from "../../inventory/machine.ts";

/** What a reservation needs to know of a machine. */
export type Reserving = Pick<Machine, "id" | "macs" | "address" | "lifecycle">;

const RESERVING: ReadonlySet<Lifecycle> = new Set(["approved", "installed", "ready"]);

/** Machine → reserved address and back. */
export class Reservations {
  readonly #addressOf = new Map<string, number>();
  readonly #macsOf = new Map<string, readonly Mac[]>();
  readonly #byMac = new Map<Mac, string>();
  readonly #byAddress = new Map<number, string>();

  /**
   * Takes over a machine as it is now.
   * @returns the address that it reserved before and does not any more.
   */
  set(machine: Reserving): number | undefined {
    const before = this.delete(machine.id);
    if (machine.address === undefined || !RESERVING.has(machine.lifecycle)) return before;
    const address = ipv4ToNumber(machine.address);
    this.#addressOf.set(machine.id, address);
    this.#macsOf.set(machine.id, machine.macs);
    this.#byAddress.set(address, machine.id);
    for (const mac of machine.macs) this.#byMac.set(mac, machine.id);
    return before === address ? undefined : before;
  }

  /** Forgets a machine. @returns the address that it reserved. */
  delete(machineId: string): number | undefined {
    const address = this.#addressOf.get(machineId);
    if (address === undefined) return undefined;
    this.#addressOf.delete(machineId);
    if (this.#byAddress.get(address) === machineId) this.#byAddress.delete(address);
    for (const mac of this.#macsOf.get(machineId) ?? []) {
      if (this.#byMac.get(mac) === machineId) this.#byMac.delete(mac);
    }
    this.#macsOf.delete(machineId);
    return address;
  }

  addressFor(mac: Mac): number | undefined {
    const id = this.#byMac.get(mac);
    return id === undefined ? undefined : this.#addressOf.get(id);
  }

  isReserved(address: number): boolean {
    return this.#byAddress.has(address);
  }

  isReservedForOther(address: number, mac: Mac): boolean {
    const owner = this.#byAddress.get(address);
    return owner !== undefined && this.#byMac.get(mac) !== owner;
  }
}
