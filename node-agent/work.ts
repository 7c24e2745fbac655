// What the agent has in hand, for its screen and its reports: one union. Pure. run-duties.ts changes it, status.ts words it.
import type { InstallStep, NodeReport, NodeStatus } from "../server/contract/generated/agent.ts";

export type Report = NonNullable<NodeReport["report"]>;

export type Work =
  | { kind: "none" }
  /** An install or reset is at this step. */
  | { kind: "step"; what: "install" | "reset"; step: InstallStep | undefined }
  /** It cannot go on until somebody has done something. */
  | { kind: "failed"; what: "install" | "reset"; reason: string; remedy: string }
  /** Installed; restarts as soon as the appliance has noted it. */
  | { kind: "installed"; disk: string }
  | { kind: "verb"; verb: string };

/** The node that runs on this machine, beside whatever is in hand. */
export type Running = { role: string; endpoint: string; status: NodeStatus };

/** A step's report goes out at its start and end, and in between no more often than this. */
export const STEP_EVERY_MS = 2000;

/** Whether a step's report is worth sending. `last` is the one that was sent before, `lastMs` when. */
export function isStepDue(step: InstallStep, last: InstallStep | undefined, lastMs: number, nowMs: number): boolean {
  if (last === undefined || step.order !== last.order || step.number !== last.number) return true;
  if (step.done !== last.done || step.text !== last.text) return true;
  return nowMs - lastMs >= STEP_EVERY_MS;
}

/** `120 of 205 MB, 9 s left`; empty for a step without bytes. */
export function progressOf({ bytesDone, bytesTotal, elapsedMs, done }: InstallStep): string {
  if (bytesTotal === 0n) return "";
  const [part, whole] = [Number(bytesDone), Number(bytesTotal)];
  const amounts = `${megabytes(part)} of ${megabytes(whole)} MB`;
  if (done || part === 0 || elapsedMs < 1000) return amounts;
  const leftSeconds = Math.ceil(((whole - part) / part) * (elapsedMs / 1000));
  return `${amounts}, ${leftSeconds} s left`;
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
