// A node's own settings, from its config: name, network files, resolvers and hosts, kernel settings, NTP. Edge: writes the files
// below /run and has systemd's programs read them. Rendered by the pure files of this room; called by run-node.ts.
import type { RunCommand } from "../kubernetes/port.ts";
import type { AgentLog } from "../log.ts";
import type { Libc } from "../open-libc.ts";
import type { Root } from "../read-sysfs.ts";
import { renderHosts, renderResolvConf } from "./etc-files.ts";
import { type Networks, renderNetworks } from "./networks.ts";
import type { StoredConfig } from "./open-state.ts";
import { readCards } from "./read-cards.ts";
import type { AddressKeeper } from "./run-addresses.ts";
import { layFile, layFiles } from "./run-files.ts";
import { renderSysctls, renderTimesync, type SystemFile } from "./system-files.ts";

const RETRY_MS = 10_000;
const COMMAND_MS = 180_000;
const NETWORK_DIR = "run/systemd/network";
const NETWORK_PREFIX = "60-slipway-";

export type SettingsDeps = {
  config: StoredConfig;
  machine: Root;
  isContainer: boolean;
  libc: Libc | undefined;
  log: AgentLog;
  run: RunCommand;
  wait(ms: number, signal: AbortSignal): Promise<void>;
};

export class Settings {
  readonly #deps: SettingsDeps;
  #addresses: AddressKeeper | undefined;
  #networks: Networks;
  /** What failed last, by part. */
  readonly #faults = new Map<string, string>();
  /** Programs that have not read their new file yet. */
  readonly #unread = new Set<string>();

  constructor(deps: SettingsDeps) {
    this.#deps = deps;
    this.#networks = this.#render();
  }

  /** The cards and leases from now on. */
  follow(addresses: AddressKeeper): void {
    this.#addresses = addresses;
  }

  networks(): Networks {
    return this.#networks;
  }

  /** Resolvers in force: the config's, else those of the leases. */
  resolvers(): string[] {
    const { nameservers } = this.#deps.config.config.network;
    if (nameservers.length > 0) return [...nameservers];
    return [...new Set((this.#addresses?.leases() ?? []).flatMap((lease) => lease.dns))];
  }

  /** In words; empty when all is in force. */
  fault(): string {
    return [...this.#faults.values(), ...this.#networks.unmatched].join("; ");
  }

  /** What the config says and this platform does not do. */
  notes(): string[] {
    const { isContainer, config } = this.#deps;
    const { sysctls, time } = config.config;
    if (!isContainer) return [];
    return [
      ...(Object.keys(sysctls).length > 0
        ? ["machine.sysctls changes nothing in a container: the kernel is the host's"]
        : []),
      ...(time.servers.length > 0 ? ["machine.time changes nothing in a container: the clock is the host's"] : []),
    ];
  }

  async apply(): Promise<void> {
    const { isContainer, config } = this.#deps;
    await this.#part("the host name", () => this.#setName());
    await this.#part("the network", () => this.#layNetworks());
    await this.#part("/etc", () => this.#layEtc());
    if (isContainer) return;
    const { sysctls, time } = config.config;
    await this.#part("machine.sysctls", () => this.#laySystem(renderSysctls(sysctls), Object.keys(sysctls).length > 0));
    const usesNtp = time.servers.length > 0 && !time.disabled;
    await this.#part("machine.time", () => this.#laySystem(renderTimesync(time.servers), usesNtp));
  }

  /** Goes on until every part is in force. */
  async retry(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.wait(RETRY_MS, signal);
      if (signal.aborted) return;
      if (this.#faults.size > 0) await this.apply();
    }
  }

  /** A card or a lease came or went: resolvers and hosts follow, and entries that meant no card may mean one now. */
  networkChanged(): void {
    void this.#part("/etc", () => this.#layEtc());
    const next = this.#render();
    if (JSON.stringify(next) === JSON.stringify(this.#networks)) return;
    this.#networks = next;
    void this.#part("the network", () => this.#layNetworks());
  }

  #render(): Networks {
    const { config, machine } = this.#deps;
    return renderNetworks(config.config.network.interfaces, readCards(machine));
  }

  async #part(name: string, act: () => Promise<void> | void): Promise<void> {
    try {
      await act();
      this.#faults.delete(name);
    } catch (error) {
      const fault = `${name} could not be set: ${(error as Error).message}`;
      if (this.#faults.get(name) !== fault) this.#deps.log.warn(fault);
      this.#faults.set(name, fault);
    }
  }

  #setName(): void {
    const { libc, config } = this.#deps;
    const { hostname } = config.config;
    layFile(this.#at("run/slipway/etc/hostname"), `${hostname}\n`);
    const name = Buffer.from(hostname);
    if (libc === undefined) throw new Error("there is no C library");
    if (libc.sethostname(name, name.length) !== 0) throw new Error(`sethostname: errno ${libc.errno()}`);
  }

  async #layNetworks(): Promise<void> {
    const isNew = layFiles(this.#at(NETWORK_DIR), NETWORK_PREFIX, this.#networks.files);
    await this.#have("networkctl", ["reload"], isNew);
  }

  #layEtc(): void {
    const { network, hostname, cluster } = this.#deps.config.config;
    const leases = this.#addresses?.leases() ?? [];
    const domains = network.searchDomains.length > 0 ? network.searchDomains : leases.flatMap((lease) => lease.domains);
    const search = network.disableSearchDomain && network.searchDomains.length === 0 ? [] : [...new Set(domains)];
    layFile(this.#at("run/slipway/etc/resolv.conf"), renderResolvConf(this.resolvers(), search));
    const own = this.#addresses?.cards().flatMap((card) => card.addresses.map((cidr) => cidr.split("/")[0]!)) ?? [];
    const ownIp = own.find((ip) => ip !== cluster.endpoint.host);
    layFile(this.#at("run/slipway/etc/hosts"), renderHosts(hostname, ownIp, network.extraHosts));
  }

  /** A file that is not wanted is left out, not written empty: the image's own settings hold then. */
  async #laySystem({ path, text, unit }: SystemFile, isWanted: boolean): Promise<void> {
    if (isWanted) await this.#have("systemctl", ["restart", unit], layFile(this.#at(path), text));
  }

  /** Has a program read what is new, until it did: an agent that was restarted finds its files laid, and restarts nothing. */
  async #have(program: string, args: readonly string[], isNew: boolean): Promise<void> {
    const key = [program, ...args].join(" ");
    if (isNew) this.#unread.add(key);
    if (!this.#unread.has(key)) return;
    const { code, stderr, stdout } = await this.#deps.run(program, args, COMMAND_MS);
    if (code === 0) return void this.#unread.delete(key);
    throw new Error(`${key}: ${(stderr || stdout).trim() || `status ${code}`}`);
  }

  #at = (path: string): string => `${this.#deps.machine.root.replace(/\/$/, "")}/${path.replace(/^\//, "")}`;
}
