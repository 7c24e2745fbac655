// Leases to the disk, with one alarm for an outage instead of one for each packet. Called by run-answer.ts and run-decision.ts.
import type { Lease } from "../../inventory/lease.ts";
import type { AnswerContext, LiveInterface } from "./answer-context.ts";

/** @returns whether the leases are on disk. A failing disk is one alarm, not one per packet. */
export async function saveLeases(ctx: AnswerContext, live: LiveInterface, leases: readonly Lease[]): Promise<boolean> {
  try {
    await ctx.inventory.saveLeases(leases);
  } catch (cause) {
    live.counters.unsaved++;
    if (!ctx.disk.isFailing) {
      const why = cause instanceof Error ? cause.message : String(cause);
      ctx.log.error(`Leases cannot be written, so DHCP clients get no answer until they can: ${why}`, { err: cause });
    }
    ctx.disk.isFailing = true;
    return false;
  }
  ctx.book.markDurable(leases);
  if (ctx.disk.isFailing) ctx.log.info("Leases can be written again; DHCP clients are answered.");
  ctx.disk.isFailing = false;
  return true;
}
