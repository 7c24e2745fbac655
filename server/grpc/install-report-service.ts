// What a machine says of the orders that it was given: the steps of an install or a reset, that it is done, that it cannot go
// on, that it has a verb in hand. Edge: reads and writes the inventory. report-service.ts feeds it, one report at a time.
import type { Installation, PendingVerb } from "../../inventory/cluster.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { MachineChange } from "../../inventory/port.ts";
import { nameStep, type StepProgress } from "../boot/live-machine.ts";
import type { Hello, InstallDone, InstallStep, OrderFailed, VerbTaken } from "../contract/generated/agent.ts";
import { TokenBucket } from "../contract/token-bucket.ts";
import { enterActivity } from "./activity-service.ts";
import { cleanText } from "./node-facts.ts";
import type { NodeStream } from "./stream.ts";

/** An install has some twenty steps, a second one begins at once when the first was cut; a machine that says more is broken. */
const STEP_RATE = { burst: 100, perSecond: 1 };
const MOST_STEPS = 1000;
/** A reason that changes with each try (a count of bytes in it) must not fill the timeline. */
const FAILURE_RATE = { burst: 10, perSecond: 1 / 60 };

/** What a machine becomes when it has a person's verb in hand. */
const AFTER_TAKING = {
  reboot: {},
  shutdown: {},
  // What is on the disk goes, and with it the approval: it needs a person again, unless a rule gives it.
  reset: { lifecycle: "discovered", installation: null, install: null, diskBoots: 0 },
} as const satisfies Record<PendingVerb["verb"], Partial<MachineChange>>;

export class InstallReports {
  readonly #stream: NodeStream;
  readonly #steps: TokenBucket;
  readonly #failures: TokenBucket;
  /** Steps whose end was told: an order that fails is tried again every minute, and its first steps are no news. */
  readonly #endsTold = new Set<string>();
  #isResetDone = false;
  /** What was told last as the reason why an order cannot go on. */
  #failureTold = "";

  constructor(stream: NodeStream) {
    this.#stream = stream;
    this.#steps = new TokenBucket(STEP_RATE, stream.deps.now());
    this.#failures = new TokenBucket(FAILURE_RATE, stream.deps.now());
  }

  /** Bytes stay in memory; a step's begin is the machine's activity, its end an event. */
  async step(report: InstallStep): Promise<void> {
    const { deps, live, caller } = this.#stream;
    const machine = await this.#machine();
    if (machine === undefined) return;
    const isInstall = machine.install?.order === report.order;
    // A reset's order is gone from the record as soon as the machine has it in hand.
    if (!isInstall && machine.activity !== "resetting") return;
    const step = stepOf(report);
    live.step = step;
    if (isInstall && machine.install?.failure !== undefined) await this.#clearFailure(machine);
    const words = nameStep(step);
    if (machine.activity !== "failed" || isInstall) {
      await enterActivity(deps.inventory, machine, isInstall ? "installing" : "resetting", words, "soon");
    }
    this.#isResetDone = !isInstall && report.done && step.number === step.of;
    const end = `${report.order} ${step.number} ${step.text}`;
    if (!report.done || this.#endsTold.has(end) || !this.#steps.take(deps.now())) return;
    if (this.#endsTold.size < MOST_STEPS) this.#endsTold.add(end);
    const { number, of, text, bytesDone: bytes, elapsedMs: ms } = step;
    const detail = { number, of, text, ms, ...(bytes > 0 && { bytes }) };
    deps.record({ kind: isInstall ? "install-step" : "reset-step", mac: caller.mac, detail });
  }

  /** Repeated by the machine until its state no longer names the order: only the first one changes something. */
  async done({ order, installId, installNumber, disk }: InstallDone): Promise<void> {
    const { caller } = this.#stream;
    const machine = await this.#machine();
    const install = machine?.install;
    if (machine === undefined || install === undefined || install.order !== order || machine.lifecycle !== "approved")
      return;
    // Nothing can be installed without a config, and the config was given to one key.
    if (install.givenToKey !== caller.keyFingerprint || installId === "") {
      const reason = "it says that it is installed, and was never given the config of that install";
      return await this.#tellFailure(machine, order, reason, `slipway install ${machine.name ?? caller.mac}`);
    }
    await this.#confirm(machine, { installId, number: installNumber, disk });
  }

  /**
   * A machine that comes from its disk under the key that was given the config has installed, whatever became of its word: the
   * power may have been cut between the last write and that.
   */
  async found({ bootSource, installId }: Hello): Promise<void> {
    const machine = await this.#machine();
    const isFromDisk = bootSource === "disk" && installId !== "";
    if (machine?.lifecycle !== "approved" || !isFromDisk || installId === machine.installation?.installId) return;
    if (machine.install?.givenToKey !== this.#stream.caller.keyFingerprint) return;
    const disk = /^\/dev\/[^:]+/.exec(machine.installDisk ?? "")?.[0] ?? "";
    await this.#confirm(machine, { installId, number: (machine.installation?.number ?? 0) + 1, disk });
  }

  async #confirm(machine: Machine, what: Omit<Installation, "at">): Promise<void> {
    const { deps, caller, live } = this.#stream;
    const installId = cleanText(what.installId);
    const cluster = machine.install?.cluster;
    const stored = { number: what.number, disk: cleanText(what.disk), ...(cluster !== undefined && { cluster }) };
    const installation = { installId, ...stored, at: deps.now() };
    const change: MachineChange = {
      ...{ id: machine.id, lifecycle: "installed", installation, install: null, diskBoots: 0 },
      ...(machine.install !== undefined && { whileOrder: machine.install.order }),
    };
    await deps.inventory.changeMachines([], [change], `machine ${caller.mac}`);
    delete live.step;
    // A container runs it from this moment on, and a machine restarts into it: neither says a new hello before.
    live.installId = installId;
    await enterActivity(deps.inventory, machine, "running");
    const { number, disk } = installation;
    const begunAt = machine.install?.firstContactAt ?? machine.install?.orderedAt ?? deps.now();
    const seconds = Math.round((deps.now() - begunAt) / 1000);
    deps.record({ kind: "installed", mac: caller.mac, detail: { number, seconds, ...(disk !== "" && { disk }) } });
    deps.log.info(`${machine.name ?? caller.mac} is installed${disk === "" ? "" : ` on ${disk}`}.`);
  }

  async failed({ order, reason, remedy }: OrderFailed): Promise<void> {
    const { deps } = this.#stream;
    const machine = await this.#machine();
    if (machine === undefined) return;
    const why = { reason: cleanText(reason) || "no reason was given", remedy: cleanText(remedy) };
    if (machine.install?.order === order) {
      await deps.inventory.changeMachines(
        [],
        [{ id: machine.id, install: { ...machine.install, failure: why }, whileOrder: order }],
        `machine ${this.#stream.caller.mac}`,
      );
    } else if (machine.activity !== "resetting") return;
    await this.#tellFailure(machine, order, why.reason, why.remedy);
  }

  async taken({ id }: VerbTaken): Promise<void> {
    const { deps, caller } = this.#stream;
    const machine = await this.#machine();
    const verb = machine?.verb;
    if (machine === undefined || verb === undefined || verb.id !== id) return;
    // Before the change: the state that goes out with it must find the machine resetting, not waiting for a person.
    if (verb.verb === "reset") await enterActivity(deps.inventory, machine, "resetting", "it stops its services");
    const change: MachineChange = { id: machine.id, verb: null, ...AFTER_TAKING[verb.verb] };
    await deps.inventory.changeMachines([], [change], `machine ${caller.mac}`);
    deps.record({ kind: "verb-taken", mac: caller.mac, detail: { verb: verb.verb } });
    deps.log.info(`${machine.name ?? caller.mac} does what was ordered: ${verb.verb}.`);
  }

  /** The stream ended. After a reset the machine is off, until something is heard of it again. */
  async ended(): Promise<void> {
    if (!this.#isResetDone) return;
    const machine = await this.#machine();
    if (machine?.activity === "resetting") await this.#stream.deps.inventory.moveActivity(machine.id, "off");
  }

  #machine(): Promise<Machine | undefined> {
    return this.#stream.deps.inventory.findMachineById(this.#stream.caller.machine.id);
  }

  async #clearFailure(machine: Machine): Promise<void> {
    const { failure: _, ...install } = machine.install!;
    const change = { id: machine.id, install, whileOrder: install.order };
    await this.#stream.deps.inventory.changeMachines([], [change], `machine ${this.#stream.caller.mac}`);
  }

  /** The machine tries again every minute: the same reason is one event, and stays on the machine. */
  async #tellFailure(machine: Machine, order: string, reason: string, remedy: string): Promise<void> {
    const { deps, caller, live } = this.#stream;
    delete live.step;
    const words = remedy === "" ? reason : `${reason}: ${remedy}`;
    await enterActivity(deps.inventory, machine, "failed", words);
    const known = machine.install?.failure;
    const isKnown = known?.reason === reason && known.remedy === remedy;
    if (isKnown || this.#failureTold === `${order} ${words}`) return;
    if (!this.#failures.take(deps.now())) return;
    this.#failureTold = `${order} ${words}`;
    deps.record({ kind: "order-failed", mac: caller.mac, detail: { reason, remedy } });
    deps.log.warn(`${machine.name ?? caller.mac} cannot go on: ${words}.`);
  }
}

function stepOf({ number, of, text, bytesDone, bytesTotal, elapsedMs }: InstallStep): StepProgress {
  const cut = (n: number) => Math.min(n, MOST_STEPS);
  const total = Number(bytesTotal);
  return {
    ...{ number: cut(number), of: cut(of), text: cleanText(text), elapsedMs },
    ...{ bytesDone: Math.min(Number(bytesDone), total > 0 ? total : Number(bytesDone)), bytesTotal: total },
  };
}
