// The machine's clocks. Edge. The wall clock may be 1970; the kernel's own count from its start is always right.
import { SlipwayError } from "../server/contract/errors.ts";
import type { Libc } from "./open-libc.ts";

export type Clock = {
  /** Milliseconds since 1970, as this machine believes. */
  now(): number;
  /** Milliseconds since the kernel's start; nobody can set it. */
  uptimeMs(): number;
  /** Sets the wall clock. Throws NO_PERMISSION without CAP_SYS_TIME. */
  set(toMs: number): void;
};

const CLOCK_REALTIME = 0;

/** Milliseconds since the kernel's start: CLOCK_MONOTONIC starts with it. */
export const uptimeMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/** The clocks of this machine. @param libc undefined where it could not be loaded: the clock then cannot be set. */
export const systemClock = (libc: Libc | undefined): Clock => ({
  now: () => Date.now(),
  uptimeMs,
  set: (toMs) => {
    if (libc === undefined)
      throw new SlipwayError("NO_PERMISSION", "the clock could not be set: there is no C library");
    const timespec = Buffer.alloc(16);
    timespec.writeBigInt64LE(BigInt(Math.floor(toMs / 1000)), 0);
    timespec.writeBigInt64LE(BigInt(Math.floor(toMs % 1000) * 1_000_000), 8);
    if (libc.clockSettime(CLOCK_REALTIME, timespec) !== 0)
      throw new SlipwayError(
        "NO_PERMISSION",
        `the clock could not be set: errno ${libc.errno()}; CAP_SYS_TIME is needed`,
      );
  },
});
