// reboot, shutdown and reset: taken, said to be taken, and done once the appliance no longer names them. Edge. In that order,
// because a machine that restarts at once could be told the same verb again when it comes back.
import type { InstallStep, VerbOrder } from "../server/contract/generated/agent.ts";
import type { TakenVerb } from "./job.ts";
import type { Room } from "./run-duties.ts";
import type { NodeDuty } from "./run-node-duty.ts";
import { isStepDue, type Work } from "./work.ts";
import type { Failed } from "./world.ts";

const RETRY_MS = 60_000;
const POWER_RETRY_MS = 10_000;
/** Pods and etcd end by themselves in this time, or with the power. */
const END_MS = 30_000;

export class VerbDuty {
  readonly #room: Room;
  readonly #node: NodeDuty;
  #taken: TakenVerb | undefined;
  #work: Work | undefined;
  #isRunning = false;
  #wake = new AbortController();

  constructor(room: Room, node: NodeDuty) {
    this.#room = room;
    this.#node = node;
    this.#taken = room.world.store.readVerb();
    if (this.#taken !== undefined) this.#work = { kind: "verb", verb: this.#taken.verb };
  }

  /** undefined while there is no verb in hand. */
  work(): Work | undefined {
    return this.#work;
  }

  retry(): void {
    this.#wake.abort();
  }

  /** @param wanted what the state names now. */
  take(wanted: VerbOrder | undefined): void {
    if (this.#isRunning) return;
    if (wanted === undefined) {
      if (this.#taken !== undefined) void this.#perform(this.#taken);
      return;
    }
    if (this.#verbs[wanted.verb] === undefined) {
      this.#refuse(wanted);
      return;
    }
    this.#taken = { id: wanted.id, verb: wanted.verb };
    this.#room.world.store.saveVerb(this.#taken);
    this.#work = { kind: "verb", verb: wanted.verb };
    this.#room.outlet()?.send({ $case: "verbTaken", value: { id: wanted.id } });
    this.#room.changed();
  }

  #refuse({ id, verb }: VerbOrder): void {
    const reason = `this agent knows no verb "${verb.slice(0, 40)}"; it knows ${Object.keys(this.#verbs).join(", ")}`;
    const value = { order: id, reason, remedy: "Install a newer Slipway OS on this machine." };
    this.#room.outlet()?.send({ $case: "orderFailed", value });
  }

  readonly #verbs: Record<string, (id: string) => Promise<Failed | undefined>> = {
    reboot: () => this.#endAnd(() => this.#room.world.power.reboot()),
    shutdown: () => this.#endAnd(() => this.#room.world.power.powerOff()),
    reset: (id) => this.#reset(id),
  };

  async #perform({ id, verb }: TakenVerb): Promise<void> {
    this.#isRunning = true;
    const { world, signal } = this.#room;
    world.log.info(`The appliance asked for ${verb}.`);
    while (!signal.aborted) {
      const failed = await this.#verbs[verb]?.(id);
      if (failed === undefined) break;
      world.log.warn(`${verb}: ${failed.reason}`);
      this.#work = { ...failed, what: "reset" };
      this.#room
        .outlet()
        ?.send({ $case: "orderFailed", value: { order: id, reason: failed.reason, remedy: failed.remedy } });
      this.#room.changed();
      this.#wake = new AbortController();
      await world.wait(RETRY_MS, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  /** The node's services are ended in their order first, etcd after the pods: cut off, its members notice late. */
  async #endAnd(act: () => Promise<void>): Promise<undefined> {
    const { world, signal } = this.#room;
    // Should the agent be restarted meanwhile, the machine still comes back only once.
    world.store.saveVerb(undefined);
    const ended = this.#node.end().catch((error: Error) => world.log.warn(`The node's end: ${error.message}`));
    const over = new AbortController();
    await Promise.race([ended, world.wait(END_MS, AbortSignal.any([signal, over.signal]))]);
    over.abort();
    return this.#power(act);
  }

  /** The verb's file goes first: the restarted machine must not do it again. */
  async #power(act: () => Promise<void>): Promise<undefined> {
    const { world, signal } = this.#room;
    world.store.saveVerb(undefined);
    while (!signal.aborted) {
      try {
        return void (await act());
      } catch (error) {
        world.log.warn(`The system's manager did not take the order: ${(error as Error).message}`);
        await world.wait(POWER_RETRY_MS, signal);
      }
    }
  }

  async #reset(id: string): Promise<Failed | undefined> {
    const { world, signal } = this.#room;
    const identity = world.store.readIdentity();
    if (identity === undefined) return undefined;
    await this.#node.end();
    const reset = world.installer.reset(id, identity, (step) => this.#report(step), signal);
    const result = await reset.catch((error: Error): Failed => {
      return { kind: "failed", reason: `the reset broke off: ${error.message}`, remedy: "It tries again in a minute." };
    });
    if (result.kind === "failed") return result;
    // A container has no network to boot from: without a ticket it could not enrol anew, so it waits, switched off.
    const isContainer = world.bootSource === "container";
    world.log.info(isContainer ? "Reset. Start this container with a fresh ticket." : "Reset. The machine restarts.");
    return this.#power(() => (isContainer ? world.power.powerOff() : world.power.reboot()));
  }

  #last: { step: InstallStep; atMs: number } | undefined;
  #report(step: InstallStep): void {
    const nowMs = this.#room.world.clock.uptimeMs();
    this.#work = { kind: "step", what: "reset", step };
    if (isStepDue(step, this.#last?.step, this.#last?.atMs ?? 0, nowMs)) {
      this.#last = { step, atMs: nowMs };
      this.#room.outlet()?.send({ $case: "installStep", value: step });
    }
    this.#room.changed();
  }
}
