// What a machine says of itself as a whole: that it is there and where it came from, and as a node how it is. Edge: reads and
// writes the inventory. report-service.ts feeds it. A machine that runs another installation than the inventory knows is not
// trusted as installed: its disk is not the one that was given the config.
import type { Machine } from "../../inventory/machine.ts";
import type { Contact, Hello, NodeStatus } from "../contract/generated/agent.ts";
import { TokenBucket } from "../contract/token-bucket.ts";
import { enterActivity } from "./activity-service.ts";
import { cleanDeep } from "./clean-status.ts";
import { cleanText, formatTime } from "./node-facts.ts";
import { powerOnAt } from "./power-on.ts";
import type { NodeStream } from "./stream.ts";

const BOOT_SOURCES: ReadonlySet<string> = new Set(["network", "disk", "container"]);
/** A node that comes and goes: each change is an entry of the audit log, which is never cut. The next status makes good. */
const READY_RATE = { burst: 10, perSecond: 1 / 30 };
/** An agent that is older than this at its hello has been in touch before: that is no boot. */
const BOOT_MS = 120_000;
const EVENTS_OF_BOOT = 300;
/** What an agent that is heard overrides: the last that was known is from before its kernel. */
const BEFORE_CONTACT: ReadonlySet<string> = new Set(["off", "firmware", "loading"]);

export class NodeReports {
  readonly #stream: NodeStream;
  readonly #flips: TokenBucket;
  /** When its kernel (in a container: its agent) started; undefined when this stream is no boot's first. */
  #startedAt: number | undefined;
  #isMismatchTold = false;

  constructor(stream: NodeStream) {
    this.#stream = stream;
    this.#flips = new TokenBucket(READY_RATE, stream.deps.now());
  }

  async hello({ contact, bootSource, installId }: Hello): Promise<void> {
    const { deps, caller, live } = this.#stream;
    live.bootSource = BOOT_SOURCES.has(bootSource) ? bootSource : "network";
    live.installId = cleanText(installId);
    if (contact !== undefined) this.#noteContact(contact);
    const machine = await this.#machine();
    if (machine === undefined || live.bootSource === "network") return;
    if (!isKnownInstallation(machine, live.installId)) {
      if (isInstalled(machine)) await this.#tellMismatch(machine, live.installId);
      return;
    }
    await this.#hear(machine);
    if (BEFORE_CONTACT.has(machine.activity)) await enterActivity(deps.inventory, machine, "running");
    deps.log.debug(`${machine.name ?? caller.mac} runs installation ${machine.installation?.number}.`);
  }

  async status(said: NodeStatus): Promise<void> {
    const status = cleanDeep(said);
    const { deps, live } = this.#stream;
    const machine = await this.#machine();
    if (machine === undefined) return;
    if (!isKnownInstallation(machine, status.installId)) {
      if (isInstalled(machine)) await this.#tellMismatch(machine, cleanText(status.installId));
      return;
    }
    await this.#hear(machine);
    const reason = status.ready ? "" : cleanText(status.reason) || "it did not say why";
    live.node = { isReady: status.ready, reason, holdsEndpoint: status.holdsEndpoint };
    deps.desk?.noteStatus(machine, status);
    await this.#moveLifecycle(machine, status.ready, reason);
  }

  #machine(): Promise<Machine | undefined> {
    return this.#stream.deps.inventory.findMachineById(this.#stream.caller.machine.id);
  }

  #noteContact({ clockWasUnixMs, kernelMs, agentMs }: Contact): void {
    const { deps, caller, live } = this.#stream;
    if (clockWasUnixMs !== undefined) {
      deps.record({ kind: "clock-set", mac: caller.mac, detail: { was: formatTime(clockWasUnixMs) } });
    }
    if (Number(agentMs) > BOOT_MS) return;
    // A container's kernel is its host's.
    const isMachine = live.bootSource !== "container";
    this.#startedAt = deps.now() - Number(agentMs) - (isMachine ? Number(kernelMs) : 0);
    // Without an installation it enrolled a moment ago, and that was the contact.
    if (live.bootSource === "network" || live.installId === "") return;
    const detail = { ms: Number(agentMs), ...(isMachine && { kernelMs: Number(kernelMs), from: "disk" }) };
    deps.record({ kind: "agent-contact", mac: caller.mac, detail });
  }

  /** It is heard with the installation that is known: so its disk boots, and what had failed before is over. */
  async #hear(machine: Machine): Promise<void> {
    const { inventory } = this.#stream.deps;
    if (machine.diskBoots !== undefined) {
      await inventory.changeMachines([], [{ id: machine.id, diskBoots: 0 }], "slipway");
    }
    if (isInstalled(machine) && machine.activity === "failed") await enterActivity(inventory, machine, "running");
  }

  async #moveLifecycle(machine: Machine, isReady: boolean, reason: string): Promise<void> {
    const { deps, caller } = this.#stream;
    const to = isReady ? "ready" : "installed";
    if (!isInstalled(machine) || machine.lifecycle === to || !this.#flips.take(deps.now())) return;
    await deps.inventory.changeMachines([], [{ id: machine.id, lifecycle: to }], `machine ${caller.mac}`);
    if (!isReady) return deps.record({ kind: "not-ready", mac: caller.mac, detail: { reason } });
    const seconds = await this.#secondsSincePowerOn(machine);
    deps.record({ kind: "ready", mac: caller.mac, detail: { ...(seconds !== undefined && { seconds }) } });
    deps.log.info(
      `${machine.name ?? caller.mac} is a Ready node${seconds === undefined ? "" : ` after ${seconds} s`}.`,
    );
  }

  /** Told once for each boot. */
  async #secondsSincePowerOn(machine: Machine): Promise<number | undefined> {
    const { deps } = this.#stream;
    const startedAt = this.#startedAt;
    if (startedAt === undefined) return undefined;
    this.#startedAt = undefined;
    const events = await deps.inventory.listEvents({ machineId: machine.id, limit: EVENTS_OF_BOOT });
    return Math.round((deps.now() - powerOnAt(events, startedAt)) / 1000);
  }

  async #tellMismatch(machine: Machine, installId: string): Promise<void> {
    if (this.#isMismatchTold) return;
    this.#isMismatchTold = true;
    const { deps, caller } = this.#stream;
    const says = installId === "" ? "no installation" : `installation ${installId.slice(0, 8)}`;
    const reason = `it says that it runs ${says}, and the inventory knows ${machine.installation?.installId.slice(0, 8) ?? "none"}`;
    const remedy = `put its own disk back, or: slipway install ${machine.name ?? caller.mac}`;
    if (machine.lifecycle === "ready") {
      await deps.inventory.changeMachines([], [{ id: machine.id, lifecycle: "installed" }], "slipway");
    }
    await enterActivity(deps.inventory, machine, "failed", `${reason}: ${remedy}`);
    deps.record({ kind: "installation-unknown", mac: caller.mac, detail: { reason, remedy } });
    deps.log.warn(`${machine.name ?? caller.mac} is not trusted as installed: ${reason}.`);
  }
}

const isInstalled = (machine: Machine): boolean => machine.lifecycle === "installed" || machine.lifecycle === "ready";
const isKnownInstallation = (machine: Machine, installId: string): boolean =>
  installId !== "" && installId === machine.installation?.installId;
