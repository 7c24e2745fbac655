// Node.FetchConfig: gathers what hand-out.ts decides on, has the cluster desk render, writes down who was given it, and only
// then answers. Edge: reads and writes the inventory. server.ts registers it. The config itself is never logged.
import type { Machine } from "../../inventory/machine.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { FetchConfigRequest, FetchConfigResponse } from "../contract/generated/agent.ts";
import { type AuthenticatedCall, type Caller, identifyCaller } from "./caller-service.ts";
import { decideHandOut, type HandOut } from "./hand-out.ts";
import type { NodeDeps } from "./node-service.ts";
import { NO_CLUSTER } from "./node-state.ts";

/** A machine asks again every few seconds; a person needs to be told once a minute. */
const TOLD_AGAIN_MS = 60_000;

export class ConfigRules {
  readonly #deps: NodeDeps;
  /** Machine id → the refusal that was told last. */
  readonly #told = new Map<string, { reason: string; at: number }>();

  constructor(deps: NodeDeps) {
    this.#deps = deps;
  }

  /** @throws NOT_ENROLLED, NOT_ARMED (not now), WRONG_ORDER (not with this order): the reason is in the message. */
  async fetch(request: FetchConfigRequest, call: AuthenticatedCall): Promise<FetchConfigResponse> {
    const { desk } = this.#deps;
    const caller = await identifyCaller(this.#deps, call);
    const { machine } = caller;
    this.#assertGiven(machine, await this.#decide(machine, request, caller));
    if (desk === undefined) this.#refuse(machine, "NOT_ARMED", NO_CLUSTER.waits, NO_CLUSTER.next);
    const answer = await desk.renderConfig(machine);
    if (answer.kind === "refused") this.#refuse(machine, "NOT_ARMED", answer.reason, answer.remedy);
    await this.#commit(request, call, answer.cluster);
    return { config: answer.text };
  }

  async #decide(machine: Machine, { order }: FetchConfigRequest, { keyFingerprint }: Caller): Promise<HandOut> {
    const { inventory, armedMs, now } = this.#deps;
    const attemptId = (await inventory.findTicketByKey(keyFingerprint))?.id;
    return decideHandOut({ machine, order, keyFingerprint, attemptId, now: now(), armedMs });
  }

  /** Decides once more, on what is true after the rendering, and has it on disk. */
  async #commit(request: FetchConfigRequest, call: AuthenticatedCall, cluster: string | undefined): Promise<void> {
    const { inventory, record, log } = this.#deps;
    const caller = await identifyCaller(this.#deps, call);
    const { machine, mac } = caller;
    const decision = await this.#decide(machine, request, caller);
    this.#assertGiven(machine, decision);
    const install = { ...decision.install, ...(cluster !== undefined && { cluster }) };
    await inventory.changeMachines([], [{ id: machine.id, install, whileOrder: request.order }], `machine ${mac}`);
    this.#told.delete(machine.id);
    if (decision.isRepeat) return;
    const isAgain = machine.install?.givenToKey !== undefined;
    const { givenInAttempt } = decision.install;
    record({ kind: "config-given", mac, ...(givenInAttempt && { attemptId: givenInAttempt }), detail: { isAgain } });
    log.info(`${machine.name ?? mac} was given its config.`, { mac });
  }

  #assertGiven(machine: Machine, decision: HandOut): asserts decision is Extract<HandOut, { kind: "give" }> {
    if (decision.kind === "refuse")
      this.#refuse(machine, decision.code, decision.reason, decision.remedy, decision.isOtherKey);
  }

  #refuse(
    machine: Machine,
    code: "NOT_ARMED" | "WRONG_ORDER",
    reason: string,
    remedy: string,
    isOtherKey?: boolean,
  ): never {
    const { record, log, now } = this.#deps;
    const told = this.#told.get(machine.id);
    if (told?.reason !== reason || now() - told.at > TOLD_AGAIN_MS) {
      this.#told.set(machine.id, { reason, at: now() });
      const detail = { reason, remedy, ...(isOtherKey && { isOtherKey }) };
      record({ kind: "config-refused", mac: machine.macs[0]!, detail });
      log.warn(`${machine.name ?? machine.macs[0]} was refused its config: ${reason}.`);
    }
    throw new SlipwayError(code, reason, { remedy });
  }
}
