// What each kind of report does to the inventory, and what the machine is told back. Edge: reads and writes the inventory.
// One writer per stream; node-service.ts feeds it.
import type { Machine } from "../../inventory/machine.ts";
import type {
  Facts,
  InstallChoice,
  LogBatch,
  NodeOrder,
  NodeReport,
  NodeState,
  Progress,
} from "../contract/generated/agent.ts";
import { TokenBucket } from "../contract/token-bucket.ts";
import { adoptMacs, saveFacts } from "./facts-service.ts";
import { LINE_RATE, takeLines } from "./kernel-lines.ts";
import { cleanText, formatTime } from "./node-facts.ts";
import type { Caller, NodeDeps } from "./node-service.ts";
import { nodeStateOf, waitReason } from "./node-state.ts";

/** Progress is for people: a machine that reports more steps than this is broken. */
const PROGRESS_RATE = { burst: 50, perSecond: 1 };
/** Disks and neighbours change a few times a day; each change is an entry of the audit log, which is never cut. */
const FACTS_RATE = { burst: 10, perSecond: 1 / 60 };
/** One event per minute says how many lines were lost. */
const DROPPED_EVERY_MS = 60_000;

type ReportOf<K> = Extract<NonNullable<NodeReport["report"]>, { $case: K }>;
type Kind = NonNullable<NodeReport["report"]>["$case"];
type Writers = { [K in Kind]: (value: ReportOf<K>["value"]) => Promise<void> | void };

export class ReportWriter {
  readonly #deps: NodeDeps;
  readonly #caller: Caller;
  readonly #send: (order: NodeOrder) => boolean;
  readonly #lines: TokenBucket;
  readonly #progress: TokenBucket;
  readonly #facts: TokenBucket;
  #dropped = 0;
  #droppedToldAt: number;
  #told: string | undefined;
  #isFull = false;
  #isStale = false;
  #isClosed = false;

  /** @param send writes an order; false means that the machine does not read fast enough. */
  constructor(deps: NodeDeps, caller: Caller, send: (order: NodeOrder) => boolean) {
    this.#deps = deps;
    this.#caller = caller;
    this.#send = send;
    this.#lines = new TokenBucket(LINE_RATE, deps.now());
    this.#progress = new TokenBucket(PROGRESS_RATE, deps.now());
    this.#facts = new TokenBucket(FACTS_RATE, deps.now());
    this.#droppedToldAt = deps.now();
  }

  /** A report without a kind this version knows is from a newer agent, and is left out. */
  async write({ report }: NodeReport): Promise<void> {
    if (report === undefined) return;
    const writer = this.#writers[report.$case] as (value: unknown) => Promise<void> | void;
    await writer(report.value);
  }

  /** Tells the machine how it is seen, unless that is what it was told last; keeps its activity in step. */
  async sendState(): Promise<void> {
    const { inventory } = this.#deps;
    const machine = await inventory.findMachineById(this.#caller.machine.id);
    if (machine === undefined || this.#isClosed) return;
    await adoptMacs(this.#deps, machine);
    const state = nodeStateOf(machine);
    const words = JSON.stringify(state);
    if (words === this.#told) return;
    if (this.#isFull) {
      this.#isStale = true;
      return;
    }
    this.#told = words;
    this.#order({ order: { $case: "state", value: state } });
    await this.#moveActivity(machine, state);
  }

  /** The machine reads again: what changed meanwhile is told now, once. */
  drained(): void {
    this.#isFull = false;
    if (!this.#isStale) return;
    this.#isStale = false;
    this.sendState().catch((error) => this.#deps.log.error(`A machine's state was not sent: ${error}`));
  }

  close(): void {
    this.#isClosed = true;
    this.#tellDropped();
  }

  readonly #writers: Writers = {
    hello: async ({ facts, contact }) => {
      const was = contact?.clockWasUnixMs;
      if (was !== undefined) {
        this.#deps.record({ kind: "clock-set", mac: this.#caller.mac, detail: { was: formatTime(was) } });
      }
      if (facts !== undefined) await this.#saveFacts(facts);
    },
    facts: (facts) => this.#saveFacts(facts),
    progress: (progress) => this.#recordProgress(progress),
    log: (batch) => this.#appendLines(batch),
    installChoice: ({ choice }) => this.#saveInstallChoice(choice),
    installStep: () => {},
    installDone: () => {},
    orderFailed: () => {},
    verbTaken: () => {},
    nodeStatus: () => {},
  };

  #order(order: NodeOrder): void {
    this.#isFull = !this.#send(order);
  }

  async #saveFacts(facts: Facts): Promise<void> {
    if (this.#facts.take(this.#deps.now())) await saveFacts(this.#deps, this.#caller.machine.id, facts);
  }

  async #moveActivity(machine: Machine, state: NodeState): Promise<void> {
    const { inventory, record } = this.#deps;
    if (state.waits === "") {
      if (machine.activity === "waiting") await inventory.moveActivity(machine.id, "running");
      return;
    }
    const reason = waitReason(state);
    if (machine.activity === "waiting" && machine.activityReason === reason) return;
    // A machine whose agent reconnected after a power cut of the appliance may still stand on "loading".
    if (machine.activity !== "running") await inventory.moveActivity(machine.id, "running");
    await inventory.moveActivity(machine.id, "waiting", reason);
    record({ kind: "waiting", mac: this.#caller.mac, detail: { reason } });
  }

  #recordProgress({ step, text, failed }: Progress): void {
    const { record, now } = this.#deps;
    if (!this.#progress.take(now())) return;
    const mac = this.#caller.mac;
    if (failed) record({ kind: "failed", mac, detail: { reason: `${cleanText(step)}: ${cleanText(text)}` } });
    else record({ kind: "agent-progress", mac, detail: { step: cleanText(step), text: cleanText(text) } });
  }

  #appendLines(batch: LogBatch): void {
    const { inventory, now } = this.#deps;
    const { lines, dropped, lastSeq } = takeLines(batch, this.#caller.mac, this.#lines, now());
    if (lines.length > 0) inventory.appendLogLines(lines);
    this.#dropped += dropped;
    if (now() - this.#droppedToldAt >= DROPPED_EVERY_MS) this.#tellDropped();
    if (lastSeq > 0n && !this.#isClosed) this.#order({ order: { $case: "logAck", value: { seq: lastSeq } } });
  }

  #tellDropped(): void {
    this.#droppedToldAt = this.#deps.now();
    if (this.#dropped === 0) return;
    this.#deps.record({ kind: "log-dropped", mac: this.#caller.mac, detail: { lines: this.#dropped } });
    this.#dropped = 0;
  }

  async #saveInstallChoice(choice: InstallChoice["choice"]): Promise<void> {
    if (choice === undefined) return;
    const { inventory, record } = this.#deps;
    const { mac, machine } = this.#caller;
    const isDisk = choice.$case === "disk";
    const disk = isDisk ? cleanText(choice.value.path) : "no disk";
    const reason = cleanText(isDisk ? choice.value.reason : choice.value);
    const installDisk = isDisk ? `${disk}: ${reason}` : `none: ${reason}`;
    const before = await inventory.findMachineById(machine.id);
    if (before === undefined || before.installDisk === installDisk) return;
    await inventory.changeMachines([], [{ id: machine.id, installDisk }], `machine ${mac}`);
    if (isDisk) return record({ kind: "would-install", mac, detail: { disk, reason } });
    record({ kind: "failed", mac, detail: { reason: `no disk to install to: ${reason}`, remedy: "fit a disk" } });
    await inventory.moveActivity(machine.id, "failed", `no disk to install to: ${reason}`);
  }
}
