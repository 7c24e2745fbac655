// Runs the stages of an install or a reset, one operation after the other, and tells how far it is. Edge. run-install.ts and
// run-reset.ts call it. A fault ends it where it is: the next attempt plans from what is true then.
import type { Stage } from "./install-stages.ts";
import { type OpWorld, runOp } from "./run-ops.ts";
import type { Progress } from "./run-progress.ts";

/**
 * @param before how many stages were told before these.
 * @param remarkOn what there is to say at a stage's end.
 */
export async function runStages(
  stages: readonly Stage[],
  world: Omit<OpWorld, "onBytes">,
  progress: Progress,
  before: number,
  remarkOn: (stage: Stage) => Promise<string | undefined> = async () => undefined,
): Promise<void> {
  const full: OpWorld = { ...world, onBytes: (bytes) => progress.addBytes(bytes) };
  for (const [index, stage] of stages.entries()) {
    const { text, bytesTotal } = stage;
    progress.begin({ number: before + index + 1, of: before + stages.length, text, bytesTotal });
    for (const op of stage.ops) {
      world.signal.throwIfAborted();
      await runOp(op, full);
    }
    progress.end(await remarkOn(stage));
  }
}
