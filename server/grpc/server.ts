// The appliance's gRPC port (8443): listens on each served address, with a certificate that names them all. Edge: sockets,
// timers. server/main.ts starts it and tells it when addresses come and go. Rules are in enrolment.ts and node-state.ts.
import {
  logVerbosity,
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  setLogVerbosity,
} from "@grpc/grpc-js";
import type { Ipv4 } from "../../inventory/address.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { LiveMachine } from "../boot/live-machine.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { SlipwayError } from "../contract/errors.ts";
import {
  EnrolmentService,
  type FetchConfigRequest,
  type FetchConfigResponse,
  type NodeOrder,
} from "../contract/generated/agent.ts";
import type { Authority, ServerCertificate } from "./authority.ts";
import { ConfigRules } from "./config-service.ts";
import { EnrolmentRules } from "./enrolment-service.ts";
import { type NodeDeps, type ReadReport, serveReport, TOLERANT_NODE_SERVICE } from "./node-service.ts";
import { Sessions } from "./session.ts";
import { faultOf } from "./status.ts";
import { NodeCredentials } from "./tls-socket.ts";

export type GrpcOptions = {
  /** Own addresses to listen on; empty is fine, more may come. */
  addresses: readonly Ipv4[];
  /** 0 takes a free one (tests). */
  port: number;
  authority: Authority;
  /** PEM of the key that signs OS images; empty when there is none. */
  ownerPublicKey: string;
  inventory: Inventory;
  log: Log;
  record: RecordEvent;
  /** Milliseconds since 1970. */
  now: () => number;
  /** How often each machine's state is looked at without a reason; tests take less. */
  refreshMs?: number;
} & Pick<NodeDeps, "desk" | "imageUrlFor" | "armedMs">;

export type GrpcServer = {
  port: number;
  /** Listens on what is new, leaves what is gone, and shows a certificate for the new set. */
  setAddresses(addresses: readonly Ipv4[]): Promise<void>;
  /** Machines that are in touch now. */
  sessionCount(): number;
  /** What a machine says of itself now; undefined while it is not in touch. */
  liveOf(machineId: string): LiveMachine | undefined;
  /** Tells the machines, gives calls a second, and closes. */
  close(): Promise<void>;
};

const CHANNEL_OPTIONS = {
  // Facts of a machine with a hundred disks have 40 kB, a batch of log lines 160.
  "grpc.max_receive_message_length": 256 * 1024,
  // A control plane is told of each node of its cluster: some 300 bytes each, and thousands are no fault.
  "grpc.max_send_message_length": 4 * 2 ** 20,
  "grpc.max_concurrent_streams": 8,
  "grpc-node.max_session_memory": 2,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 25_000,
  // Who connects and asks nothing is let go.
  "grpc.max_connection_idle_ms": 60_000,
};
const CLOSE_MS = 1000;
/** An image that was built meanwhile, a window that ended: neither is told by a change of the inventory. */
const REFRESH_MS = 10_000;
const CERTIFICATE_CHECK_MS = 60 * 60_000;

/** @throws PORT_IN_USE, NO_PERMISSION or NO_INTERFACE when an address cannot be listened on. */
export async function serveGrpc(options: GrpcOptions): Promise<GrpcServer> {
  // grpc-js would write to stderr by itself; what it has to say comes back as errors, too.
  setLogVerbosity(logVerbosity.NONE);
  const sessions = new Sessions();
  const server = new Server(CHANNEL_OPTIONS);
  addServices(server, options, sessions);
  const listener = new Listener(server, options);
  await listener.setAddresses(options.addresses);
  const unwatchOrders = options.desk?.watchOrders((machineIds) => {
    for (const id of machineIds) sessions.refresh(id);
  });
  const refresh = setInterval(() => sessions.refreshAll(), options.refreshMs ?? REFRESH_MS).unref();
  const unwatch = options.inventory.watchMachines((machines, deletedIds) => {
    for (const { id, lifecycle } of machines) {
      if (lifecycle === "retired") sessions.endMachine(id, "the machine is retired");
      else sessions.refresh(id);
    }
    for (const id of deletedIds) sessions.endMachine(id, "the machine was removed from the inventory");
  });
  return {
    get port() {
      return listener.port;
    },
    setAddresses: (addresses) => listener.setAddresses(addresses),
    sessionCount: () => sessions.size,
    liveOf: (machineId) => sessions.find(machineId)?.live,
    close: async () => {
      clearInterval(refresh);
      unwatch();
      unwatchOrders?.();
      listener.close();
      sessions.endAll("the appliance stops; it will be back");
      await shutDown(server);
    },
  };
}

function addServices(server: Server, options: GrpcOptions, sessions: Sessions): void {
  const { inventory, log, record, now, authority, ownerPublicKey, desk, imageUrlFor, armedMs } = options;
  const nodes: NodeDeps = { inventory, log, record, now, sessions, desk, imageUrlFor, armedMs };
  const configs = new ConfigRules(nodes);
  const dropSessions = (key: string, reason: string) => sessions.endKey(key, reason);
  const rules = new EnrolmentRules({ inventory, log, record, now, authority, ownerPublicKey, dropSessions });
  server.addService(EnrolmentService, {
    now: unary(log, async () => ({ unixMs: BigInt(now()) })),
    enrol: unary(log, (request) => rules.enrol(request)),
    renew: unary(log, (request) => rules.renew(request)),
  });
  server.addService(TOLERANT_NODE_SERVICE, {
    report: (call: ServerDuplexStream<ReadReport, NodeOrder>) => void serveReport(nodes, call),
    fetchConfig: unary(
      log,
      (request: FetchConfigRequest, call: ServerUnaryCall<FetchConfigRequest, FetchConfigResponse>) =>
        configs.fetch(request, call),
    ),
  });
}

/** The one place where a fault becomes a status. */
function unary<Q, A>(log: Log, answer: (request: Q, call: ServerUnaryCall<Q, A>) => Promise<A>) {
  return (call: ServerUnaryCall<Q, A>, done: sendUnaryData<A>) => {
    answer(call.request, call).then(
      (value) => done(null, value),
      (error: unknown) => {
        if (!(error instanceof SlipwayError)) log.error(`A machine's request failed: ${String(error)}`, { error });
        done(faultOf(error));
      },
    );
  };
}

/** The sockets and the certificate they show. */
class Listener {
  readonly #server: Server;
  readonly #options: GrpcOptions;
  readonly #bound = new Map<Ipv4, string>();
  readonly #credentials: NodeCredentials;
  readonly #timer: NodeJS.Timeout;
  #certificate: ServerCertificate;
  #named: readonly Ipv4[];
  port: number;

  constructor(server: Server, options: GrpcOptions) {
    this.#server = server;
    this.#options = options;
    this.port = options.port;
    this.#named = options.addresses;
    this.#certificate = options.authority.issueServer(options.addresses, options.now());
    this.#credentials = new NodeCredentials(options.authority.certificate, this.#certificate);
    this.#timer = setInterval(() => this.#renew(), CERTIFICATE_CHECK_MS).unref();
  }

  async setAddresses(addresses: readonly Ipv4[]): Promise<void> {
    const wanted = [...new Set(addresses)].sort();
    if (wanted.join() !== [...this.#named].sort().join()) this.#issue(wanted);
    for (const [address, target] of this.#bound) {
      if (wanted.includes(address)) continue;
      this.#server.unbind(target);
      this.#bound.delete(address);
    }
    // One address that cannot be had does not keep the others from being served.
    const missing = wanted.filter((address) => !this.#bound.has(address));
    const faults: unknown[] = [];
    for (const address of missing) await this.#bind(address).catch((fault) => faults.push(fault));
    if (faults.length > 0) throw faults[0];
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #bind(address: Ipv4): Promise<void> {
    this.port = await bind(this.#server, address, this.port, this.#credentials);
    this.#bound.set(address, `${address}:${this.port}`);
    this.#options.log.info(`gRPC listens on ${address}:${this.port}.`);
  }

  #issue(addresses: readonly Ipv4[]): void {
    this.#named = addresses;
    this.#certificate = this.#options.authority.issueServer(addresses, this.#options.now());
    this.#credentials.replace(this.#certificate);
  }

  /** At two thirds of its life. */
  #renew(): void {
    const { validFrom, validTo } = this.#certificate;
    if (this.#options.now() > validFrom + ((validTo - validFrom) * 2) / 3) this.#issue(this.#named);
  }
}

/** What the kernel says → what a person can do about it. */
const BIND_FAULTS = [
  { sign: "EADDRINUSE", code: "PORT_IN_USE", why: "another program holds it" },
  { sign: "EACCES", code: "NO_PERMISSION", why: "ports below 1024 need CAP_NET_BIND_SERVICE" },
  { sign: "EADDRNOTAVAIL", code: "NO_INTERFACE", why: "no interface has this address" },
] as const;

function bind(server: Server, address: Ipv4, port: number, credentials: NodeCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${address}:${port}`, credentials, (error, boundPort) => {
      if (error === null) return resolve(boundPort);
      const fault = BIND_FAULTS.find(({ sign }) => error.message.includes(sign));
      const what = `gRPC cannot listen on ${address}:${port}`;
      if (fault === undefined)
        return reject(new SlipwayError("INTERNAL", `${what}: ${error.message}`, { cause: error }));
      reject(new SlipwayError(fault.code, `${what}: ${fault.why}`, { cause: error }));
    });
  });
}

/** Lets calls finish; what still runs after a second is cut off. */
function shutDown(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, CLOSE_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
