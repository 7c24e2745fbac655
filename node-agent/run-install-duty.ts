// One install order, from its first sight to the restart: fetch the config, decode it, have it installed, say so until the
// appliance has noted it. Edge. A cut at any place goes on from job.json (agent restarted) or from the disk's marker (power).
import type { InstallOrder, InstallStep, NodeState } from "../server/contract/generated/agent.ts";
import { decodeMachineConfig, formatConfigFaults } from "../server/contract/machine-config/decode.ts";
import { nodeConfigOf } from "../server/contract/machine-config/node-config.ts";
import { formatPrivateKey } from "../server/contract/pki/key.ts";
import type { Job } from "./job.ts";
import type { StoredConfig } from "./node/open-state.ts";
import type { Outlet, Room } from "./run-duties.ts";
import type { NodeDuty } from "./run-node-duty.ts";
import { isStepDue, type Work } from "./work.ts";
import type { Failed, Installed } from "./world.ts";

/** What failed is tried again after this, unless order or facts change before. */
const RETRY_MS = 60_000;
/** While the line is broken. */
const OUTLET_MS = 1000;
/** InstallDone is said again, should the appliance have lost it. */
const DONE_EVERY_MS = 10_000;
/** Faults of a config that are told; all of them are in the agent's log. */
const FAULTS_TOLD = 3;

type Current = { order: InstallOrder; stop: AbortController; wake: AbortController; isDone: boolean };

export class InstallDuty {
  readonly #room: Room;
  readonly #node: NodeDuty;
  #current: Current | undefined;
  #work: Work | undefined;
  #last: { step: InstallStep; atMs: number } | undefined;
  /** The session in which the failure was told. */
  #toldFailure: Outlet | undefined;

  constructor(room: Room, node: NodeDuty) {
    this.#room = room;
    this.#node = node;
    const job = room.world.store.readJob();
    // An agent that was restarted between the install and the appliance's nod.
    if (job?.done !== undefined) {
      this.#current = { ...begin({ order: job.order, imageUrl: "", mayWipe: false }), isDone: true };
      this.#work = { kind: "installed", disk: job.done.disk };
    }
  }

  work(): Work | undefined {
    return this.#work;
  }

  retry(): void {
    this.#current?.wake.abort();
  }

  /** Compares what the appliance wants with what is in hand. */
  take(state: NodeState): void {
    const wanted: InstallOrder | undefined = state.install;
    const current = this.#current;
    if (current !== undefined && current.order.order !== wanted?.order) {
      const meaning = meaningOf(state, current.isDone);
      if (meaning === "wait") return;
      this.#current = undefined;
      current.stop.abort();
      if (meaning === "noted") return void this.#finish();
      this.#room.world.store.saveJob(undefined);
      this.#setWork(undefined);
    }
    if (wanted === undefined) return;
    if (this.#current === undefined) {
      this.#current = begin(wanted);
      void this.#run(this.#current);
      return;
    }
    const isChanged =
      wanted.mayWipe !== this.#current.order.mayWipe || wanted.imageUrl !== this.#current.order.imageUrl;
    this.#current.order = wanted;
    if (this.#current.isDone) this.#sayDone();
    else if (isChanged) this.retry();
    else this.#sayFailed(wanted.order);
  }

  async #run(current: Current): Promise<void> {
    const { world } = this.#room;
    const signal = AbortSignal.any([current.stop.signal, this.#room.signal]);
    world.log.info(`Install order ${current.order.order}.`);
    while (!signal.aborted) {
      this.#setWork({ kind: "step", what: "install", step: undefined });
      const result = await this.#attempt(current, signal);
      if (signal.aborted) return;
      if (result?.kind === "installed") return this.#done(current, result, signal);
      if (result !== undefined) this.#fail(current, result);
      current.wake = new AbortController();
      const pauseMs = result === undefined ? OUTLET_MS : RETRY_MS;
      await world.wait(pauseMs, AbortSignal.any([signal, current.wake.signal]));
    }
  }

  /** undefined: the line broke before the config was here. */
  async #attempt(current: Current, signal: AbortSignal): Promise<Installed | undefined> {
    const { world } = this.#room;
    if (world.bootSource === "disk") return RUNS_FROM_DISK;
    const identity = world.store.readIdentity();
    if (identity === undefined) return undefined;
    const job = await this.#jobFor(current.order.order);
    if (job === undefined || job.kind === "failed") return job;
    if (world.bootSource === "container") await this.#node.end();
    const key = formatPrivateKey(world.store.key());
    const { installId } = job.job;
    try {
      const parts = { order: current.order, installId, config: job.config, identity, key };
      return await world.installer.install(parts, (step) => this.#report(step), signal);
    } catch (error) {
      // A fault that the installer did not foresee: told as it is, and tried again like the others.
      return { kind: "failed", reason: `the install broke off: ${(error as Error).message}`, remedy: TRIES_AGAIN };
    }
  }

  /** The config of an order: fetched once, and kept while it can be read. */
  async #jobFor(order: string): Promise<{ kind: "job"; job: Job; config: StoredConfig } | Failed | undefined> {
    const { store, log, newId } = this.#room.world;
    const kept = store.readJob();
    let job = kept?.order === order ? kept : undefined;
    if (job === undefined) {
      const answer = await this.#room.outlet()?.fetchConfig(order);
      if (answer === undefined || answer.kind === "unreachable" || answer.kind === "stranger") return undefined;
      if (answer.kind === "refused") {
        return { kind: "failed", reason: `the appliance gives no config: ${answer.reason}`, remedy: TRIES_AGAIN };
      }
      job = { order, installId: newId(), config: answer.value };
    }
    const decoded = decodeMachineConfig(job.config);
    if (decoded.kind === "faults") {
      const faults = formatConfigFaults("config", decoded.faults);
      for (const fault of faults) log.warn(fault);
      const more = faults.length > FAULTS_TOLD ? `; and ${faults.length - FAULTS_TOLD} more in its log` : "";
      const reason = `the machine config cannot be used: ${faults.slice(0, FAULTS_TOLD).join("; ")}${more}`;
      return { kind: "failed", reason, remedy: "Correct the cluster, role or machine: slipway config MAC shows it." };
    }
    store.saveJob(job);
    return {
      kind: "job",
      job,
      config: { text: job.config, config: nodeConfigOf(decoded.config), notes: decoded.notes },
    };
  }

  #done(current: Current, { number, disk }: Extract<Installed, { kind: "installed" }>, signal: AbortSignal): void {
    const { world } = this.#room;
    const job = world.store.readJob();
    if (job !== undefined) world.store.saveJob({ ...job, done: { number, disk } });
    current.isDone = true;
    world.log.info(disk === "" ? "The machine config is stored." : `Installed to ${disk}.`);
    this.#setWork({ kind: "installed", disk });
    this.#sayDone();
    void this.#repeatDone(signal);
  }

  async #repeatDone(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#room.world.wait(DONE_EVERY_MS, signal);
      if (signal.aborted) return;
      this.#sayDone();
    }
  }

  #sayDone(): void {
    const job = this.#room.world.store.readJob();
    if (job?.done === undefined) return;
    const { order, installId, done } = job;
    const value = { order, installId, installNumber: done.number, disk: done.disk };
    this.#room.outlet()?.send({ $case: "installDone", value });
  }

  /** The appliance has noted it. A container is a node from now on; a machine becomes one from its disk. */
  async #finish(): Promise<void> {
    const { world, signal } = this.#room;
    if (world.bootSource === "container") {
      world.store.saveJob(undefined);
      this.#setWork(undefined);
      if (world.nodeStore !== undefined) this.#node.startFrom(world.nodeStore);
      return;
    }
    // job.json stays: an agent that is restarted before the machine is asks for the restart again.
    world.log.info("The machine restarts from its disk.");
    while (!signal.aborted) {
      try {
        return await world.power.reboot();
      } catch (error) {
        world.log.warn(`The restart was not taken: ${(error as Error).message}`);
        await world.wait(DONE_EVERY_MS, signal);
      }
    }
  }

  #fail(current: Current, { reason, remedy }: Failed): void {
    this.#room.world.log.warn(`${reason}. ${remedy}`);
    this.#setWork({ kind: "failed", what: "install", reason, remedy });
    this.#toldFailure = undefined;
    this.#sayFailed(current.order.order);
  }

  /** Once in each session. */
  #sayFailed(order: string): void {
    const [outlet, work] = [this.#room.outlet(), this.#work];
    if (work?.kind !== "failed" || outlet === undefined || outlet === this.#toldFailure) return;
    this.#toldFailure = outlet;
    outlet.send({ $case: "orderFailed", value: { order, reason: work.reason, remedy: work.remedy } });
  }

  #report(step: InstallStep): void {
    const nowMs = this.#room.world.clock.uptimeMs();
    if (isStepDue(step, this.#last?.step, this.#last?.atMs ?? 0, nowMs)) {
      this.#last = { step, atMs: nowMs };
      this.#room.outlet()?.send({ $case: "installStep", value: step });
    }
    this.#setWork({ kind: "step", what: "install", step });
  }

  #setWork(work: Work | undefined): void {
    this.#work = work;
    this.#room.changed();
  }
}

/**
 * What it means that a state names another order than the one in hand, or none. Only an installed lifecycle says that the
 * appliance noted the end: the first state of a session has no order yet (the appliance waits for hello), and one that waits
 * for something (an image that is being built) has none for a while.
 */
function meaningOf({ install, lifecycle, waits }: NodeState, isDone: boolean): "wait" | "noted" | "withdrawn" {
  if (install !== undefined) return "withdrawn";
  if (lifecycle === "installed" || lifecycle === "ready") return isDone ? "noted" : "withdrawn";
  return lifecycle === "approved" && (isDone || waits === "") ? "wait" : "withdrawn";
}

const begin = (order: InstallOrder): Current => ({
  order,
  stop: new AbortController(),
  wake: new AbortController(),
  isDone: false,
});

const TRIES_AGAIN = "Nothing: it tries again in a minute.";
const RUNS_FROM_DISK: Failed = {
  kind: "failed",
  reason: "the machine runs from the disk that is to be installed",
  remedy: "Restart it, with the network before the disk in its firmware's boot order: slipway reboot MAC.",
};
