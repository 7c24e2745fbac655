// What the appliance wants of this machine, and how far it is: installs, verbs, the node's orders. Edge: calls what does the
// work. Lives longer than any session: what is wanted is level (NodeState), so each state is compared with what is in hand;
// what is done is said again in each session until the state no longer asks for it.
import type { ClusterOrders, NodeState, VerbOrder } from "../server/contract/generated/agent.ts";
import type { Answer } from "./report.ts";
import { InstallDuty } from "./run-install-duty.ts";
import { NodeDuty } from "./run-node-duty.ts";
import { VerbDuty } from "./run-verb-duty.ts";
import type { Report, Running, Work } from "./work.ts";
import type { World } from "./world.ts";

/** The open session, as the duties see it. */
export type Outlet = {
  send(report: Report): void;
  fetchConfig(order: string): Promise<Answer<string>>;
};

/** What a duty may ask of the others. */
export type Room = {
  world: World;
  /** undefined while there is no session that has brought a state. */
  outlet(): Outlet | undefined;
  /** The work changed: the screen is drawn anew. */
  changed(): void;
  signal: AbortSignal;
};

/** The image on the disk is checked once the node is Ready, and after this in any case. */
const CHECK_AFTER_MS = 10 * 60_000;
const LOOK_MS = 5000;

export class Duties {
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #install: InstallDuty;
  readonly #verb: VerbDuty;
  readonly #node: NodeDuty;
  #outlet: Outlet | undefined;
  /** What was found once and is told in every session. */
  #finding: Report | undefined;

  /** @param changed called whenever {@link work} or {@link running} may say something else. */
  constructor(world: World, changed: () => void, signal: AbortSignal) {
    this.#world = world;
    this.#signal = signal;
    const room: Room = { world, outlet: () => this.#outlet, changed, signal };
    this.#node = new NodeDuty(room);
    this.#install = new InstallDuty(room, this.#node);
    this.#verb = new VerbDuty(room, this.#node);
  }

  /** Starts the node of an installed machine; it needs nobody. */
  start(): void {
    if (this.#world.nodeStore !== undefined) this.#node.startFrom(this.#world.nodeStore);
    if (this.#world.bootSource === "disk") void this.#checkImage();
  }

  /** The whole image on the disk against what was installed: a damaged one is told before somebody restarts into it. */
  async #checkImage(): Promise<void> {
    // Not beside the node's own start: a slow disk has enough to read then.
    for (let waitedMs = 0; waitedMs < CHECK_AFTER_MS && this.running()?.status.ready !== true; waitedMs += LOOK_MS) {
      await this.#world.wait(LOOK_MS, this.#signal);
      if (this.#signal.aborted) return;
    }
    const check = await this.#world.checkImage(this.#signal);
    if (check === undefined) return;
    this.#world.log[check.kind === "damaged" ? "warn" : "info"](check.text);
    if (check.kind !== "damaged") return;
    const value = { step: "checked the image on its disk", text: check.text, failed: true };
    this.#finding = { $case: "progress", value };
    this.#outlet?.send(this.#finding);
  }

  /** A state came over this session: from now on it is the way out. */
  take(state: NodeState, outlet: Outlet): void {
    if (this.#finding !== undefined && this.#outlet !== outlet) outlet.send(this.#finding);
    this.#outlet = outlet;
    // A verb in hand ends the machine's present life: nothing else is begun beside it.
    this.#verb.take(state.verb as VerbOrder | undefined);
    if (this.#verb.work() === undefined) this.#install.take(state);
    this.#node.take(state.cluster as ClusterOrders | undefined);
  }

  /** The session ended; what happens meanwhile is told in the next one. */
  detach(outlet: Outlet): void {
    if (this.#outlet === outlet) this.#outlet = undefined;
  }

  /** A disk came, for one: what failed is tried again. */
  factsChanged(): void {
    this.#install.retry();
    this.#verb.retry();
  }

  /** Hello.install_id: which installation runs here. */
  installId(): string {
    return this.#node.life()?.install.installId ?? "";
  }

  work(): Work {
    return this.#verb.work() ?? this.#install.work() ?? this.#node.fault() ?? { kind: "none" };
  }

  /** An install or reset has the disk: what stands on it now means nothing. */
  isAtDisk(): boolean {
    return this.work().kind === "step" || this.work().kind === "installed";
  }

  running(): Running | undefined {
    const life = this.#node.life();
    return life === undefined ? undefined : { role: life.role, endpoint: life.endpoint, status: life.status() };
  }

  async stop(): Promise<void> {
    await this.#node.stop();
  }
}
