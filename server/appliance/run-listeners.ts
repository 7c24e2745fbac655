// HTTP, TFTP and gRPC on every address of the served interfaces, and after every change of those. Edge: sockets, the watch
// on interfaces. DHCP follows its interfaces by itself (server/dhcp/service.ts).
import type { AssetStore } from "../../boot-assets/store.ts";
import type { Ipv4 } from "../../inventory/address.ts";
import { AUTOEXEC, LOOP_PATH } from "../boot/paths.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import type { BootService } from "../boot/service.ts";
import type { ReadConfig } from "../config/read-config.ts";
import { SlipwayError } from "../contract/errors.ts";
import { readPortHolder } from "../dhcp/read-port-holder.ts";
import type { GrpcServer } from "../grpc/server.ts";
import { buildBootApp } from "../http/app.ts";
import { type BootListener, listenBoot } from "../http/open-listener.ts";
import { observeInterfaces, watchInterfaces } from "../observe.ts";
import type { ImageStore } from "../oci/store.ts";
import { type OpenTftpFile, serveTftp, type TftpServer } from "../tftp/server.ts";
import type { Neighbours } from "./neighbour-service.ts";
import { together } from "./open-parts.ts";

export type ListenerDeps = {
  config: ReadConfig;
  boot: BootService;
  assets: AssetStore;
  images: ImageStore;
  agents: GrpcServer;
  neighbours: Neighbours;
  log: Log;
  record: RecordEvent;
};

/** A running download may go on for this long when the appliance stops. */
const GRACE_MS = 1000;
/** RFC 1350 §4. */
const TFTP_PORT = 69;
/** An address that could not be listened on is tried again after this. */
const RETRY_MS = 5000;

/**
 * @throws PORT_IN_USE, NO_PERMISSION … as an AggregateError with every fault of the first try; then nothing is left open.
 */
export async function runListeners(deps: ListenerDeps): Promise<{ close(): Promise<void> }> {
  const { config, boot, assets, images, neighbours, log, record } = deps;
  const macOf = (ip: string) => neighbours.macOf(ip);
  const app = await buildBootApp({ assets, images, boot, record, log, macOf });
  const tftp = await serveTftp({
    ...{ addresses: [], ports: config.tftp.portRange, macOf, log, record },
    open: openFile(boot, assets),
    onDone: (name, ip) => noteLoader(boot, name, macOf(ip)),
  });
  const listeners = new Listeners(deps, tftp, app);
  try {
    await listeners.start();
  } catch (cause) {
    await listeners.close();
    throw cause;
  }
  return listeners;
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
  readonly #http = new Map<Ipv4, BootListener>();
  /** Addresses that were had, with the name of their interface. */
  readonly #served = new Map<Ipv4, string>();
  #queue: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #stopWatch = () => {};
  #isClosed = false;

  constructor(deps: ListenerDeps, tftp: TftpServer, app: Awaited<ReturnType<typeof buildBootApp>>) {
    this.#deps = deps;
    this.#tftp = tftp;
    this.#app = app;
  }

  /** Listens, and follows the interfaces from then on; the watch is first, so that no change falls between the two. */
  async start(): Promise<void> {
    const names = this.#deps.config.interfaces.map((one) => one.name);
    this.#stopWatch = watchInterfaces(names, () => this.#followLater());
    const first = this.#follow();
    this.#queue = first.catch(() => {});
    await first;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWatch();
    clearTimeout(this.#retry);
    await this.#queue;
    await Promise.all([...this.#http.values()].map((one) => one.close(GRACE_MS)));
    this.#tftp.close();
    await this.#app.close();
  }

  /** Brings the listeners in line with the addresses that are there now; all faults at once. */
  async #follow(): Promise<void> {
    const names = new Set(this.#deps.config.interfaces.map((one) => one.name));
    const wanted = wantedAddresses(
      observeInterfaces().filter((one) => names.has(one.name)),
      this.#served,
    );
    for (const ip of [...this.#served.keys()]) if (!wanted.has(ip)) await this.#leave(ip);
    const { http, grpc } = this.#deps.config;
    const tasks = [...wanted].flatMap(([ip, at]) => [
      () => this.#serveHttp(ip).catch(withHolder("http", `HTTP, TCP ${ip}:${http.port}`, http.port)),
      () => this.#serveTftp(ip, at.mtu).catch(withHolder("tftp", `TFTP, UDP ${ip}:${TFTP_PORT}`, TFTP_PORT)),
    ]);
    const serveAgents = () =>
      this.#deps.agents.setAddresses([...wanted.keys()]).catch(withHolder("grpc", `gRPC, TCP ${grpc.port}`, grpc.port));
    for (const [ip, at] of wanted) this.#served.set(ip, at.name);
    await together([...tasks, serveAgents]);
  }

  /** After a change of an interface; a fault is told and tried again, the rest goes on. */
  #followLater(): void {
    clearTimeout(this.#retry);
    this.#queue = this.#queue
      .then(() => (this.#isClosed ? undefined : this.#follow()))
      .catch((cause: AggregateError) => {
        for (const fault of cause.errors ?? [cause])
          this.#deps.log.error(`${fault.message}; tried again every ${RETRY_MS / 1000} s`);
        if (!this.#isClosed) this.#retry = setTimeout(() => this.#followLater(), RETRY_MS);
      });
  }

  async #serveHttp(ip: Ipv4): Promise<void> {
    if (this.#http.has(ip)) return;
    this.#http.set(ip, await listenBoot(this.#app, { address: ip, port: this.#deps.config.http.port }));
  }

  async #serveTftp(ip: Ipv4, mtu: number): Promise<void> {
    await this.#tftp.addAddress({ ip, mtu });
  }

  async #leave(ip: Ipv4): Promise<void> {
    this.#served.delete(ip);
    this.#tftp.removeAddress(ip);
    await this.#http.get(ip)?.close();
    this.#http.delete(ip);
  }
}

const REMEDIES = {
  http: "Stop that program, or choose another http.port in slipway.yaml.",
  grpc: "Stop that program, or choose another grpc.port in slipway.yaml.",
  tftp: "Stop that program, perhaps another TFTP server: firmware knows no other port.",
};

/** A port in use with the name of who holds it, where that can be seen; other faults as they are. */
function withHolder(part: keyof typeof REMEDIES, where: string, port: number) {
  return (cause: unknown) => {
    if (!(cause instanceof SlipwayError) || cause.code !== "PORT_IN_USE") throw cause;
    const holder = readPortHolder(port, part === "tftp" ? "udp" : "tcp");
    const who = holder ?? "another program (run as root to see which)";
    throw new SlipwayError("PORT_IN_USE", `${where} is held by ${who}`, { cause, remedy: REMEDIES[part] });
  };
}

/**
 * The addresses to listen on. Those of an interface without carrier are not in the kernel's list, yet what is served there
 * stays: a download goes on when the cable is back after a second, and a closed listener would break it off.
 */
function wantedAddresses(usable: readonly ServedInterface[], served: ReadonlyMap<Ipv4, string>) {
  const wanted = new Map(usable.flatMap((one) => one.addresses.map((ip) => [ip, one] as const)));
  for (const [ip, name] of served) {
    const at = usable.find((one) => one.name === name);
    if (at !== undefined && !at.hasCarrier && !wanted.has(ip)) wanted.set(ip, at);
  }
  return wanted;
}
