// The node that lives on this machine, as the agent's duties see it: started from STATE, told its orders, its status reported.
// Edge. node/run-node.ts is the node itself.
import type { ClusterOrders } from "../server/contract/generated/agent.ts";
import type { NodeStore } from "./node/open-state.ts";
import type { Outlet, Room } from "./run-duties.ts";
import type { Work } from "./work.ts";
import type { NodeLife } from "./world.ts";

/** A changed status waits this long, so that a burst of changes is one report. */
const CHANGE_MS = 1000;
/** And one that does not change is said again. */
const REPEAT_MS = 60_000;

/** The install writes STATE before it calls the disk whole: somebody emptied it since. */
const BLANK: Extract<Work, { kind: "failed" }> = {
  ...{ kind: "failed", what: "install", reason: "the machine runs from its disk, and STATE on it is empty" },
  remedy: "Install this machine anew: slipway install MAC.",
};

export class NodeDuty {
  readonly #room: Room;
  #life: NodeLife | undefined;
  #fault: Extract<Work, { kind: "failed" }> | undefined;
  #ended: AbortController | undefined;
  #told: Outlet | undefined;
  #isDue = false;

  constructor(room: Room) {
    this.#room = room;
    const { stateFault } = room.world;
    if (stateFault !== undefined) this.#fault = { kind: "failed", what: "install", ...stateFault };
  }

  life(): NodeLife | undefined {
    return this.#life;
  }

  fault(): Work | undefined {
    return this.#fault;
  }

  /** Starts what STATE says; a blank one is no fault, for a container is installed by its first order. */
  startFrom(store: NodeStore): void {
    const stored = store.read();
    if (stored.kind === "blank" && this.#room.world.bootSource === "disk") this.#fault = BLANK;
    if (stored.kind === "unusable") {
      this.#fault = { kind: "failed", what: "install", reason: stored.reason, remedy: stored.remedy };
      this.#room.world.log.warn(`${stored.reason}. ${stored.remedy}`);
    }
    if (stored.kind !== "node") return;
    this.#fault = undefined;
    if (this.#life?.install.installId === stored.install.installId) return;
    const life = this.#room.world.openNode({ store, config: stored.config, install: stored.install });
    this.#life = life;
    this.#ended = new AbortController();
    life.watch(() => {
      this.#isDue = true;
      this.#room.changed();
    });
    void this.#report(life, AbortSignal.any([this.#ended.signal, this.#room.signal]));
  }

  take(orders: ClusterOrders | undefined): void {
    this.#life?.setOrders(orders);
    const outlet = this.#room.outlet();
    // A new session hears the status at once.
    if (this.#life !== undefined && outlet !== this.#told) this.#send(this.#life);
  }

  /** Ends the agent's part; the services of the node go on. */
  async stop(): Promise<void> {
    this.#ended?.abort();
    await this.#life?.stop();
    this.#life = undefined;
  }

  /** Ends the services, too: a reset or a new install takes what they stand on. */
  async end(): Promise<void> {
    this.#ended?.abort();
    await this.#life?.end();
    this.#life = undefined;
  }

  async #report(life: NodeLife, signal: AbortSignal): Promise<void> {
    for (let sinceMs = 0; !signal.aborted; sinceMs += CHANGE_MS) {
      await this.#room.world.wait(CHANGE_MS, signal);
      if (signal.aborted || (!this.#isDue && sinceMs < REPEAT_MS)) continue;
      if (this.#send(life)) sinceMs = 0;
    }
  }

  #send(life: NodeLife): boolean {
    const outlet = this.#room.outlet();
    if (outlet === undefined) return false;
    outlet.send({ $case: "nodeStatus", value: life.status() });
    this.#told = outlet;
    this.#isDue = false;
    return true;
  }
}
