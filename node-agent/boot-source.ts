// Where the running system came from, and so what this agent is: an installer's hand or a node. Pure. main.ts asks once.

/** As Hello.boot_source says it. */
export type BootSource = "network" | "disk" | "container";

/** What the answer is made of. */
export type BootTraces = {
  /** By systemd-detect-virt's rule (read-boot.ts). */
  isContainer: boolean;
  /** The initramfs left a ticket, or this boot's agent traded one in already. */
  hasTicket: boolean;
  /** There is a whole install of ours on a disk of this machine. */
  hasOwnDisk: boolean;
};

/**
 * Decides it. A machine with a ticket was booted by an appliance, whatever stands on its disk: it never runs the node then, so
 * that a person who boots an installed machine from the network meets it at rest.
 */
export function decideBootSource({ isContainer, hasTicket, hasOwnDisk }: BootTraces): BootSource {
  if (isContainer) return "container";
  return hasOwnDisk && !hasTicket ? "disk" : "network";
}
