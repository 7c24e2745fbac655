// HTTP, TFTP and gRPC on every address of the served interfaces, and after every change of those. Edge: sockets, the watch
// on interfaces. DHCP follows its interfaces by itself (server/dhcp/service.ts).
import type { AssetStore } from "../../boot-assets/store.ts";
import { AUTOEXEC, LOOP_PATH } from "../boot/paths.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import type { BootService } from "../boot/service.ts";
import type { ReadConfig } from "../config/read-config.ts";
import type { GrpcServer } from "../grpc/server.ts";
import { buildBootApp } from "../http/app.ts";
import { type BootListener, listenBoot } from "../http/open-listener.ts";
import { observeInterfaces, watchInterfaces } from "../observe.ts";
import { type OpenTftpFile, serveTftp, type TftpServer } from "../tftp/server.ts";
import type { Neighbours } from "./neighbour-service.ts";

export type ListenerDeps = {
  config: ReadConfig;
  boot: BootService;
  assets: AssetStore;
  agents: GrpcServer;
  neighbours: Neighbours;
  log: Log;
  record: RecordEvent;
};

/** A running download may go on for this long when the appliance stops. */
const GRACE_MS = 1000;
/** An address that could not be listened on is tried again after this. */
const RETRY_MS = 5000;

/** @throws PORT_IN_USE, NO_PERMISSION … as an AggregateError with every fault of the first try. */
export async function runListeners(deps: ListenerDeps): Promise<{ close(): Promise<void> }> {
  const { config, boot, assets, neighbours, log, record } = deps;
  const macOf = (ip: string) => neighbours.macOf(ip);
  const app = await buildBootApp({ assets, boot, record, log, macOf });
  const tftp = await serveTftp({
    ...{ addresses: [], ports: config.tftp.portRange, macOf, log, record },
    open: openFile(boot, assets),
    onDone: (name, ip) => noteLoader(boot, name, macOf(ip)),
  });
  const listeners = new Listeners(deps, tftp, app);
  const names = config.interfaces.map((one) => one.name);
  await listeners.follow();
  const stop = watchInterfaces(names, () => listeners.followLater());
  return {
    close: async () => {
      stop();
      await listeners.close();
      tftp.close();
      await app.close();
    },
  };
}

/** TFTP names: loaders from the store, and autoexec.ipxe beside each of them (pxe.md 2.9). */
function openFile(boot: BootService, assets: AssetStore): OpenTftpFile {
  return async (name, { localIp }) => {
    if (name === AUTOEXEC || name.endsWith(`/${AUTOEXEC}`)) {
      return { kind: "file", bytes: Buffer.from(boot.autoexec({ localIp })) };
    }
    if (`/${name}` === LOOP_PATH) return { kind: "file", bytes: Buffer.from(boot.loopScript({ localIp })) };
    const loader = name.startsWith("ipxe/") ? assets.openLoader(name.slice("ipxe/".length)) : undefined;
    return loader === undefined ? { kind: "missing" } : { kind: "file", bytes: loader.contents };
  };
}

/** autoexec.ipxe is no binary: it does not count towards a loop. */
function noteLoader(boot: BootService, name: string, mac: string | undefined): void {
  if (mac !== undefined && !name.endsWith(AUTOEXEC)) boot.noteLoaderFetched(mac);
}

class Listeners {
  readonly #deps: ListenerDeps;
  readonly #tftp: TftpServer;
  readonly #app: Awaited<ReturnType<typeof buildBootApp>>;
  readonly #http = new Map<string, BootListener>();
  readonly #served = new Set<string>();
  #queue: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(deps: ListenerDeps, tftp: TftpServer, app: Awaited<ReturnType<typeof buildBootApp>>) {
    this.#deps = deps;
    this.#tftp = tftp;
    this.#app = app;
  }

  /** Brings the listeners in line with the addresses that are there now; all faults at once. */
  async follow(): Promise<void> {
    const names = new Set(this.#deps.config.interfaces.map((one) => one.name));
    const usable = observeInterfaces().filter((one) => names.has(one.name));
    const wanted = new Map(usable.flatMap((one) => one.addresses.map((ip) => [ip, one.mtu] as const)));
    for (const ip of [...this.#served]) if (!wanted.has(ip)) await this.#leave(ip);
    const tasks = [...wanted].flatMap(([ip, mtu]) => [this.#serveHttp(ip), this.#serveTftp(ip, mtu)]);
    const results = await Promise.allSettled([...tasks, this.#deps.agents.setAddresses([...wanted.keys()])]);
    const faults = results.flatMap((r) => (r.status === "rejected" ? [r.reason] : []));
    if (faults.length > 0) throw new AggregateError(faults);
  }

  /** After a change of an interface; a fault is told and tried again, the rest goes on. */
  followLater(): void {
    clearTimeout(this.#retry);
    this.#queue = this.#queue
      .then(() => (this.#isClosed ? undefined : this.follow()))
      .catch((cause: AggregateError) => {
        for (const fault of cause.errors ?? [cause])
          this.#deps.log.error(`${fault.message}; tried again every ${RETRY_MS / 1000} s`);
        this.#retry = setTimeout(() => this.followLater(), RETRY_MS);
      });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#queue;
    await Promise.all([...this.#http.values()].map((one) => one.close(GRACE_MS)));
  }

  async #serveHttp(ip: string): Promise<void> {
    if (this.#http.has(ip)) return;
    this.#http.set(ip, await listenBoot(this.#app, { address: ip, port: this.#deps.config.http.port }));
    this.#served.add(ip);
  }

  async #serveTftp(ip: string, mtu: number): Promise<void> {
    await this.#tftp.addAddress({ ip, mtu });
    this.#served.add(ip);
  }

  async #leave(ip: string): Promise<void> {
    this.#tftp.removeAddress(ip);
    await this.#http.get(ip)?.close();
    this.#http.delete(ip);
    this.#served.delete(ip);
  }
}
