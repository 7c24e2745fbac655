// What nodes said last, and when: kept in memory only, because it says how things are now. desk-service.ts keeps it. Pure.
import type { NodeStatus } from "../contract/generated/agent.ts";

export class HeardNodes {
  readonly statuses = new Map<string, NodeStatus>();
  readonly lastMs = new Map<string, number>();
  /** When a node's `ready` changed last. */
  readonly sinceMs = new Map<string, number>();
  readonly startedAtMs: number;

  constructor(nowMs: number) {
    this.startedAtMs = nowMs;
  }

  note(machineId: string, status: NodeStatus, nowMs: number): void {
    if (this.statuses.get(machineId)?.ready !== status.ready) this.sinceMs.set(machineId, nowMs);
    this.statuses.set(machineId, status);
    this.lastMs.set(machineId, nowMs);
  }

  /** Its connection ended: until now it was there. */
  gone(machineId: string, nowMs: number): void {
    if (this.statuses.delete(machineId)) this.lastMs.set(machineId, nowMs);
    this.sinceMs.delete(machineId);
  }
}
