// A small network for the DHCP integration tests: a bridge, a namespace with our server on 192.0.2.1, and as many peers as a
// test wants. Everything goes with the lab.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DhcpInterfaceSettings } from "../../../server/dhcp/served-subnets.ts";
import { type Bridge, type Lab, type Namespace, openLab } from "../../lab/namespace.ts";
import type { LabProcess } from "../../lab/namespace-process.ts";
import type { Question, Reply } from "./lab-client.ts";

export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
export const DECLINE = 4;
export const ACK = 5;
export const NAK = 6;
export const RELEASE = 7;
export const INFORM = 8;
export const OUR_IP = "192.0.2.1";
/** What OVMF x64 says of itself. */
export const UEFI = { vendorClass: "PXEClient:Arch:00007:UNDI:003016", clientArch: [7] };

export type Client = { ask(question: Question): Promise<Reply[]>; ns: Namespace; stop(): Promise<unknown> };
export type Server = {
  process: LabProcess;
  /** Waits for an event of this kind whose JSON line also matches `pattern`. */
  event(kind: string, pattern?: RegExp, timeoutMs?: number): Promise<Record<string, unknown>>;
  /** Waits until the interface says so. */
  mode(mode: string, timeoutMs?: number): Promise<unknown>;
  lines(): Record<string, unknown>[];
  stop(): Promise<number>;
};

const here = (file: string) => join(import.meta.dirname, file);

export const settingsFor = (over: Partial<DhcpInterfaceSettings> = {}): DhcpInterfaceSettings => ({
  name: "eth0",
  dhcp: "server",
  leaseSeconds: 3600,
  strangers: "boot",
  authoritative: true,
  probe: false,
  // Most tests are about something else than the ten seconds of looking.
  force: true,
  subnets: [],
  ...over,
});

export type Rig = Awaited<ReturnType<typeof openRig>>;

/** Opens the network. `server` has eth0 with 192.0.2.1/24 on bridge `lan`. */
export async function openRig(options: { address?: string | null } = {}) {
  const lab: Lab = openLab("dhcp");
  const dataDir = mkdtempSync(join(tmpdir(), "slipway-dhcp-"));
  const lan = lab.bridge("lan");
  const serverNs = lab.namespace("server");
  lab.link(serverNs, "eth0", lan);
  if (options.address !== null) lab.address(serverNs, "eth0", options.address ?? `${OUR_IP}/24`);
  let clients = 0;

  return {
    lab,
    lan,
    serverNs,
    dataDir,
    /** Starts our server and waits until it is ready, unless `isFailing`. */
    async serve(settings: Partial<DhcpInterfaceSettings>[] = [{}], more: ServeOptions = {}): Promise<Server> {
      const list = settings.map((over) => settingsFor(over));
      const command = [
        ...(more.wrap ?? []),
        process.execPath,
        here("lab-server.ts"),
        more.dataDir ?? dataDir,
        JSON.stringify(list),
        JSON.stringify(more.options ?? {}),
      ];
      const server = serverOf(lab.spawn(more.ns ?? serverNs, command, more.env ? { env: more.env } : {}));
      await server.process.waitFor(/"(ready|fault)":/);
      return server;
    },
    /** A machine without address on a bridge, sending from 68 (or 67 as a relay, 4011 as EDK2). */
    async client(on: Bridge = lan, port = 68, address?: string): Promise<Client> {
      const ns = lab.namespace(`c${clients++}`);
      lab.link(ns, "eth0", on);
      if (address) lab.address(ns, "eth0", address);
      return startClient(lab, ns, port);
    },
    startClient: (ns: Namespace, port = 68) => startClient(lab, ns, port),
    /** A real dnsmasq as the other DHCP server, 192.0.2.254 unless told otherwise. */
    async dnsmasq(options: { ns?: Namespace; address?: string } = {}) {
      const ns = options.ns ?? lab.namespace("router");
      const address = options.address ?? "192.0.2.254";
      if (!options.ns) {
        lab.link(ns, "eth0", lan);
        lab.address(ns, "eth0", `${address}/24`);
      }
      const started = lab.spawn(ns, [
        ...["dnsmasq", "--no-daemon", "--port=0", "--conf-file=/dev/null", "--log-dhcp", "--user=root", "--no-ping"],
        ...["--interface=eth0", "--dhcp-range=192.0.2.20,192.0.2.60,120", "--dhcp-authoritative"],
        `--dhcp-leasefile=${join(dataDir, `dnsmasq-${address}.leases`)}`,
      ]);
      await started.waitFor(/DHCP, (IP range|sockets)/);
      return { ns, address, process: started };
    },
    async close() {
      await lab.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

type ServeOptions = {
  ns?: Namespace;
  wrap?: string[];
  dataDir?: string;
  env?: NodeJS.ProcessEnv;
  options?: { synchronous?: "FULL" | "NORMAL"; isQuiet?: boolean; isLying?: boolean };
};

function serverOf(running: LabProcess): Server {
  const lines = () =>
    running
      .stdout()
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const event = async (kind: string, pattern = /.*/, timeoutMs = 10_000) => {
    const [line] = await running.waitFor(new RegExp(`^\\{"event":"${kind}".*${pattern.source}.*\\}$`, "m"), timeoutMs);
    return JSON.parse(line) as Record<string, unknown>;
  };
  return {
    process: running,
    event,
    mode: (mode, timeoutMs) => event("dhcp-mode", new RegExp(`"mode":"${mode}"`), timeoutMs),
    lines,
    stop: () => running.stop(),
  };
}

async function startClient(lab: Lab, ns: Namespace, port: number): Promise<Client> {
  const running = lab.spawn(ns, [process.execPath, here("lab-client.ts"), "eth0", String(port)]);
  await running.waitFor(/^open$/m);
  let asked = 0;
  return {
    ns,
    stop: () => running.stop(),
    async ask(question) {
      running.write(`${JSON.stringify(question)}\n`);
      const mine = ++asked;
      await running.waitFor(new RegExp(`^open\\n(\\[.*\\]\\n){${mine}}`), (question.waitMs ?? 1500) + 5000);
      return JSON.parse(running.stdout().split("\n")[mine]!) as Reply[];
    },
  };
}

/** DISCOVER to ACK. Throws with what came instead. */
export async function lease(client: Client, mac: string, more: Partial<Question> = {}): Promise<Reply> {
  const [offer] = await client.ask({ mac, type: DISCOVER, ...more });
  if (offer?.type !== OFFER) throw new Error(`no offer for ${mac}: ${JSON.stringify(offer)}`);
  const options = { ...more.options, requestedIp: offer.yourIp, ...(offer.serverId && { serverId: offer.serverId }) };
  const [ack] = await client.ask({ mac, type: REQUEST, ...more, options });
  if (ack?.type !== ACK) throw new Error(`no ack for ${mac}: ${JSON.stringify(ack)}`);
  return ack;
}
