// How large and how patient the lab is with the virtual machines of a cluster. Called by run-lab.ts and run-first-start.ts.

/** From power-on to Ready; emulated machines were seen to need a quarter of an hour on a busy host. */
export const VM_READY_WITHIN_MS = 60 * 60_000;
/** The image's root is in memory twice while it netboots; the control plane's programs need a gigabyte beside it. */
export const VM_MEMORY_MIB = { controlplane: 3072, worker: 2048 } as const;
