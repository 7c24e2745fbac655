// What each kind of report does to the inventory, and what the machine is told back. Edge: reads and writes the inventory.
// One writer per stream; node-service.ts feeds it.
import { randomUUID } from "node:crypto";
import type { Ipv4 } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { LiveMachine } from "../boot/live-machine.ts";
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
import { enterActivity } from "./activity-service.ts";
import type { Caller } from "./caller-service.ts";
import { adoptMacs, saveFacts } from "./facts-service.ts";
import { InstallReports } from "./install-report-service.ts";
import { LINE_RATE, takeLines } from "./kernel-lines.ts";
import { cleanText } from "./node-facts.ts";
import { NodeReports } from "./node-report-service.ts";
import type { NodeDeps } from "./node-service.ts";
import { NO_CLUSTER, type NodeView, needsInstall, nodeStateOf, waitReason } from "./node-state.ts";

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
  readonly #localIp: Ipv4 | undefined;
  readonly #send: (order: NodeOrder) => boolean;
  readonly #installs: InstallReports;
  readonly #nodes: NodeReports;
  /** What the machine says of itself now. */
  readonly live: LiveMachine = { bootSource: "", installId: "" };
  readonly #lines: TokenBucket;
  readonly #progress: TokenBucket;
  readonly #facts: TokenBucket;
  #dropped = 0;
  #droppedToldAt: number;
  #told: string | undefined;
  /** States go out one after the other: two that are made at once would order two installs. */
  #turn: Promise<void> = Promise.resolve();
  #isFull = false;
  #isStale = false;
  #isClosed = false;

  /**
   * @param localIp our address as the machine reaches it; undefined where it does not say.
   * @param send writes an order; false means that the machine does not read fast enough.
   */
  constructor(deps: NodeDeps, caller: Caller, localIp: Ipv4 | undefined, send: (order: NodeOrder) => boolean) {
    this.#deps = deps;
    this.#caller = caller;
    this.#localIp = localIp;
    const stream = { deps, caller, live: this.live };
    this.#installs = new InstallReports(stream);
    this.#nodes = new NodeReports(stream);
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
  sendState(): Promise<void> {
    const sent = this.#turn.then(() => this.#sendState());
    this.#turn = sent.catch(() => {});
    return sent;
  }

  async #sendState(): Promise<void> {
    const { inventory } = this.#deps;
    const found = await inventory.findMachineById(this.#caller.machine.id);
    if (found === undefined || this.#isClosed) return;
    await adoptMacs(this.#deps, found);
    const machine = await this.#orderInstall(found);
    const state = nodeStateOf(machine, this.#view(machine));
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

  #view(machine: Machine): NodeView {
    const { desk, imageUrlFor, armedMs, now } = this.#deps;
    const isApproved = machine.lifecycle === "approved";
    const wait = desk === undefined ? NO_CLUSTER : isApproved ? desk.waitOf(machine) : undefined;
    const imageUrl =
      isApproved && this.#localIp !== undefined ? imageUrlFor(machine.arch ?? "", this.#localIp) : undefined;
    return { live: this.live, wait, imageUrl, orders: desk?.ordersOf(machine), armedMs, now: now() };
  }

  /** Orders the install of a machine that lacks nothing, and begins the window of an order that it hears of for the first time. */
  async #orderInstall(machine: Machine): Promise<Machine> {
    const { inventory, now } = this.#deps;
    const view = this.#view(machine);
    const { install } = machine;
    const isFirst = install !== undefined && install.firstContactAt === undefined && machine.lifecycle === "approved";
    if (!isFirst && !needsInstall(machine, view)) return machine;
    const order = install ?? { order: randomUUID(), mayWipe: false, orderedAt: now() };
    const begun = { ...order, firstContactAt: now() };
    const change = { id: machine.id, install: begun, ...(install !== undefined && { whileOrder: install.order }) };
    const [changed] = await inventory.changeMachines([], [change], "slipway");
    if (install === undefined) this.#deps.record({ kind: "install-ordered", mac: this.#caller.mac });
    return changed ?? machine;
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
    this.#installs.ended().catch((error) => this.#deps.log.error(`The end of a reset was not written: ${error}`));
    this.#tellDropped();
  }

  readonly #writers: Writers = {
    hello: async (hello) => {
      await this.#installs.found(hello);
      await this.#nodes.hello(hello);
      if (hello.facts !== undefined) await this.#saveFacts(hello.facts);
      // What it installs, and whether it does, depends on where it came from.
      await this.sendState();
    },
    facts: (facts) => this.#saveFacts(facts),
    progress: (progress) => this.#recordProgress(progress),
    log: (batch) => this.#appendLines(batch),
    installChoice: ({ choice }) => this.#saveInstallChoice(choice),
    installStep: (step) => this.#installs.step(step),
    installDone: (done) => this.#installs.done(done),
    orderFailed: (failed) => this.#installs.failed(failed),
    verbTaken: (taken) => this.#installs.taken(taken),
    nodeStatus: (status) => this.#nodes.status(status),
  };

  #order(order: NodeOrder): void {
    this.#isFull = !this.#send(order);
  }

  async #saveFacts(facts: Facts): Promise<void> {
    if (this.#facts.take(this.#deps.now())) await saveFacts(this.#deps, this.#caller.machine.id, facts);
  }

  async #moveActivity(machine: Machine, state: NodeState): Promise<void> {
    const { inventory, record } = this.#deps;
    // What it waits for comes after the reset, when it has booted again.
    if (machine.activity === "resetting") return;
    if (state.waits === "") {
      if (machine.activity === "waiting") await inventory.moveActivity(machine.id, "running");
      return;
    }
    const reason = waitReason(state);
    if (machine.activity === "waiting" && machine.activityReason === reason) return;
    await enterActivity(inventory, machine, "waiting", reason);
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
