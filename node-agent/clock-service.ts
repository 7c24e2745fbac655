// The machine's clocks. Edge. The wall clock may be 1970; the kernel's own count from its start is always right.
import { SlipwayError } from "../server/contract/errors.ts";
import { openLibc } from "./open-libc.ts";

export type Clock = {
  /** Milliseconds since 1970, as this machine believes. */
  now(): number;
  /** Milliseconds since the kernel's start; nobody can set it. */
  uptimeMs(): number;
  /** Sets the wall clock. Throws NO_PERMISSION without CAP_SYS_TIME. */
  set(toMs: number): void;
};

const CLOCK_REALTIME = 0;

/** The clocks of this machine. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  // CLOCK_MONOTONIC starts with the kernel.
  uptimeMs: () => Number(process.hrtime.bigint() / 1_000_000n),
  set: (toMs) => {
    const timespec = Buffer.alloc(16);
    timespec.writeBigInt64LE(BigInt(Math.floor(toMs / 1000)), 0);
    timespec.writeBigInt64LE(BigInt(Math.floor(toMs % 1000) * 1_000_000), 8);
    const libc = openLibc();
    if (libc.clockSettime(CLOCK_REALTIME, timespec) !== 0)
      throw new SlipwayError(
        "NO_PERMISSION",
        `the clock could not be set: errno ${libc.errno()}; CAP_SYS_TIME is needed`,
      );
  },
};
