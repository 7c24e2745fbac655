// A machine's config from the site in memory and its cluster's sealed bundle: given out, previewed, or refused with a reason
// that the machine waits with until it is mended. desk-service.ts calls it. Edge: the inventory (names), the bundle.
import type { Cidr } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { SecretsBundle } from "../contract/machine-config/secrets-bundle.ts";
import type { ClusterWait, ConfigAnswer } from "../grpc/cluster-port.ts";
import type { SiteSettings } from "./config-document.ts";
import { type RenderedConfig, renderMachineConfig } from "./machine-config.ts";
import { type Refusal, waitOfMachine } from "./machine-wait.ts";
import { chooseNodeName } from "./node-name.ts";
import { machineOf } from "./site.ts";
import type { SiteView } from "./site-view.ts";
import type { Turns } from "./turns.ts";

type Say = (text: string, fields?: Readonly<Record<string, unknown>>) => void;
export type ConfigDeps = {
  inventory: Pick<Inventory, "changeMachines">;
  /** Opens a cluster's sealed bundle. */
  openBundle: (cluster: string) => Promise<SecretsBundle>;
  /** @param leased its bound leases. */
  settingsFor: (machine: Machine, leased: readonly string[]) => SiteSettings;
  /** All networks of the appliance's interfaces: pods must not live there. */
  siteNetworks: () => readonly Cidr[];
  log: { info: Say; warn: Say };
};
export type Preview = RenderedConfig | ({ kind: "refused" } & Refusal);

export class ConfigMaker {
  readonly #deps: ConfigDeps;
  readonly #site: SiteView;
  readonly #turns: Turns;
  readonly #refusals = new Map<string, Refusal & { of: string }>();

  constructor(deps: ConfigDeps, site: SiteView, turns: Turns) {
    this.#deps = deps;
    this.#site = site;
    this.#turns = turns;
  }

  waitOf(machine: Machine): ClusterWait | undefined {
    const refusal = this.#refusals.get(machine.id);
    const current = refusal?.of === this.#inputsOf(machine) ? refusal : undefined;
    return this.#waitOf(machine, current);
  }

  #waitOf(machine: Machine, refusal?: Refusal): ClusterWait | undefined {
    const { siteNetworks } = this.#deps;
    return waitOfMachine(machine, this.#site.membership(machine), this.#site.known, siteNetworks(), refusal);
  }

  /** Names the machine when nobody has. */
  async render(machine: Machine): Promise<ConfigAnswer> {
    const named = await this.#turns.take(() => this.#named(this.#site.machine(machine.id) ?? machine));
    const rendered = await this.preview(named);
    const { log } = this.#deps;
    if (rendered.kind === "config") {
      this.#refusals.delete(machine.id);
      for (const note of rendered.notes) log.info(`The config of ${named.name}: ${note.path}: ${note.message}.`);
      const found = this.#site.membership(named);
      return { kind: "config", text: rendered.text, ...(found.kind === "member" && { cluster: found.cluster.name }) };
    }
    const { reason, remedy } = rendered.kind === "faults" ? refusalOf(rendered) : rendered;
    this.#refusals.set(machine.id, { reason, remedy, of: this.#inputsOf(named) });
    return { kind: "refused", reason, remedy };
  }

  /** As it would be given out now; writes nothing. */
  async preview(machine: Machine): Promise<Preview> {
    const found = this.#site.membership(machine);
    const wait = this.#waitOf(machine);
    if (found.kind === "none" || wait !== undefined)
      return { kind: "refused", reason: wait?.waits ?? "it is in no cluster", remedy: wait?.next ?? "" };
    try {
      const bundle = await this.#deps.openBundle(found.cluster.name);
      const site = this.#deps.settingsFor(machine, this.#site.leasedTo(machine));
      const named = { ...machineOf(machine), name: machine.name ?? this.#freeName(found) };
      return renderMachineConfig({ ...found, machine: named, bundle, site });
    } catch (fault) {
      if (!(fault instanceof SlipwayError)) throw fault;
      return { kind: "refused", reason: fault.message, remedy: fault.remedy };
    }
  }

  /** A machine that nobody named is named by its cluster, role and a number, and keeps that. */
  async #named(machine: Machine): Promise<Machine> {
    const found = this.#site.membership(machine);
    if (machine.name !== undefined || found.kind === "none") return machine;
    const name = this.#freeName(found);
    const [changed] = await this.#deps.inventory.changeMachines([], [{ id: machine.id, name }], "slipway");
    if (changed !== undefined) this.#site.setMachines([changed]);
    return changed ?? machine;
  }

  #freeName({ cluster, role }: { cluster: { name: string }; role: { name: string } }): string {
    const taken = this.#site.site.machines.flatMap((m) => m.name ?? []);
    return chooseNodeName(cluster.name, role.name, taken);
  }

  /** What a config is made of beside the secrets: a refusal is about this, and is over when it changes. */
  #inputsOf(machine: Machine): string {
    return JSON.stringify([this.#site.membership(machine), machineOf(machine)]);
  }
}

function refusalOf(rendered: Extract<RenderedConfig, { kind: "faults" }>): Refusal {
  const { path, message } = rendered.faults[0] ?? { path: "", message: "it cannot be rendered" };
  const more = rendered.faults.length > 1 ? ` (and ${rendered.faults.length - 1} more faults)` : "";
  return {
    reason: `its config has a fault: ${path === "" ? "" : `${path}: `}${message}${more}`,
    remedy: "correct the patches in its Role or Machine document, then slipway apply -f FILE",
  };
}
