// A rack: one wire, the appliance on it, perhaps the site's own DHCP server, and machines with real firmware. Called by
// run-lab.ts (npm start, npm run lab), the end-to-end tests and test/long/boot-times.ts. Needs root. All of it lives in
// network namespaces and ends with close(), or with this process at the latest.
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type AdminClient, openAdminClient } from "../../server/cli/admin-client.ts";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { StatusView } from "../../server/rest/status.ts";
import { type Container, type ContainerSettings, makeContainer } from "./container.ts";
import { type KeptVm, type KeptVmSettings, makeKeptVm } from "./kept-vm.ts";
import { type Bridge, type Lab, type Namespace, openLab } from "./namespace.ts";
import type { LabProcess } from "./namespace-process.ts";
import type { VmSettings } from "./qemu-arguments.ts";
import { startVm, type Vm } from "./vm.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The rack's network, the documentation's own (RFC 5737). */
export const RACK_NETWORK = {
  appliance: "192.0.2.1",
  router: "192.0.2.254",
  prefix: 24,
  /** The router's pool, apart from the appliance's default one (the upper half). */
  routerPool: "192.0.2.10,192.0.2.90",
} as const;
/** The appliance's interface, as it calls it. */
export const RACK_INTERFACE = "eth0";

export type RackSettings = {
  /** Short name for the namespaces: lower-case letters and digits. */
  prefix: string;
  /** The appliance's dataDir; its assets are in `assets` below it. */
  dataDir: string;
  /** Where the appliance's settings file is written; default: beside dataDir's files. */
  configFile?: string;
  /** Where the appliance's log goes. */
  logFile: string;
  /** Default: the user's own (slipway.yaml `identity`). */
  identity?: string;
  dhcp: "server" | "proxy" | "auto" | "off";
  strangers?: "boot" | "disk" | "ignore";
};

export type Rack = {
  readonly lab: Lab;
  readonly bridge: Bridge;
  /** The appliance's namespace: who is in it is on the rack's wire. */
  readonly home: Namespace;
  readonly configFile: string;
  readonly adminSocket: string;
  readonly admin: AdminClient;
  /**
   * Starts the appliance and waits until it answers, and until it has decided how it serves DHCP (10 s and more).
   * Throws with its own words when it ends instead.
   */
  startAppliance(): Promise<LabProcess>;
  /** Starts a real dnsmasq as the site's DHCP server: addresses and a router, no boot data. */
  startRouter(): Promise<LabProcess>;
  /** Powers a machine on. Machines are numbered from 1: 52:54:00:00:00:01 … unless `mac` is given. */
  powerOn(settings: Omit<VmSettings, "tap" | "mac"> & { mac?: string }): Promise<Vm>;
  /** Makes a machine that keeps its disk and its firmware's variables; it is off. Numbered as by `powerOn`. */
  makeVm(settings: Omit<KeptVmSettings, "mac"> & { mac?: string }): KeptVm;
  /** Makes a container node; it is off. Numbered like machines: 52:54:00:00:80:01 … unless `mac` is given. */
  makeContainer(settings?: Partial<Pick<ContainerSettings, "mac" | "binds">>): Container;
  close(): Promise<void>;
};

function writeSettings(rack: RackSettings, file: string): void {
  const lines = [
    "# Written by the lab (test/lab/rack.ts) at every start.",
    `dataDir: ${rack.dataDir}`,
    ...(rack.identity ? [`identity: ${rack.identity}`] : []),
    "interfaces:",
    `  ${RACK_INTERFACE}:`,
    `    dhcp: ${rack.dhcp}`,
    ...(rack.strangers ? [`    strangers: ${rack.strangers}`] : []),
  ];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${lines.join("\n")}\n`);
}

/**
 * Lays the cables; nothing runs yet.
 * @throws NO_PERMISSION unless root.
 */
export function buildRack(settings: RackSettings): Rack {
  const lab = openLab(settings.prefix);
  const bridge = lab.bridge("rack");
  const home = lab.namespace("slipway");
  lab.link(home, RACK_INTERFACE, bridge);
  lab.address(home, RACK_INTERFACE, `${RACK_NETWORK.appliance}/${RACK_NETWORK.prefix}`);
  const configFile = settings.configFile ?? join(settings.dataDir, "lab.yaml");
  writeSettings(settings, configFile);
  const adminSocket = join(settings.dataDir, "admin.sock");
  const admin = openAdminClient(adminSocket);
  const toClose = new Set<() => Promise<void>>();
  let vms = 0;
  let containers = 0;
  const plugIn = (mac: string | undefined) => {
    vms += 1;
    return { tap: lab.tap(bridge, `vm${vms}`), mac: mac ?? `52:54:00:00:${twoBytes(vms)}` };
  };
  return {
    ...{ lab, bridge, home, configFile, adminSocket, admin },
    startAppliance: () => startAppliance(lab, home, { configFile, logFile: settings.logFile }, admin),
    startRouter: () => startRouter(lab, bridge),
    powerOn: async ({ mac, ...vm }) => {
      const machine = await startVm(lab, bridge, { ...vm, ...plugIn(mac) });
      toClose.add(machine.powerOff);
      return machine;
    },
    makeVm: ({ mac, ...vm }) => {
      const plug = plugIn(mac);
      const machine = makeKeptVm({ ...vm, mac: plug.mac }, (now) => startVm(lab, bridge, { ...now, tap: plug.tap }));
      toClose.add(machine.close);
      return machine;
    },
    makeContainer: ({ mac, binds = {} } = {}) => {
      containers += 1;
      const node = {
        mac: mac ?? `52:54:00:00:${twoBytes(0x8000 + containers)}`,
        assetsDir: join(settings.dataDir, "assets"),
      };
      const ticket = async () => JSON.stringify(await admin.post("/v1/tickets", { mac: node.mac, arch: "amd64" }));
      const container = makeContainer(lab, bridge, { ...node, binds, ticket });
      toClose.add(container.close);
      return container;
    },
    close: async () => {
      await Promise.all([...toClose].map((close) => close()));
      await lab.close();
    },
  };
}

const twoBytes = (n: number) => [n >> 8, n & 255].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

/** Words of `slipway status` while the appliance looks for other DHCP servers. */
const UNDECIDED = new Set(["looking", "probing"]);

type ApplianceFiles = { configFile: string; logFile: string };

async function startAppliance(lab: Lab, home: Namespace, files: ApplianceFiles, admin: AdminClient) {
  const serve = [join(ROOT, "slipway"), "serve", "--config", files.configFile];
  const logBytes = statSync(files.logFile, { throwIfNoEntry: false })?.size ?? 0;
  const spawnedAt = Date.now();
  const appliance = lab.spawn(home, [
    "sh",
    "-c",
    'log=$1; shift; exec "$@" >>"$log" 2>&1',
    "sh",
    files.logFile,
    ...serve,
  ]);
  let isOver = false;
  const ended = appliance.ended().then((code) => {
    isOver = true;
    const said = readFileSync(files.logFile).subarray(logBytes).toString();
    throw new SlipwayError("COMMAND_FAILED", `the appliance ended with ${code}; it said:\n${said}`);
  });
  ended.catch(() => {});
  const answers = async () => {
    while (!isOver) {
      try {
        const { interfaces, startedAt } = await admin.get<StatusView>("/v1/status");
        // An earlier appliance on the same dataDir would answer too; ours then ends by itself and says so.
        const isOurs = Date.parse(startedAt) >= spawnedAt;
        if (isOurs && interfaces.every((one) => !UNDECIDED.has(one.dhcp.mode))) return;
      } catch {
        // It does not listen yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await Promise.race([answers(), ended]);
  return appliance;
}

async function startRouter(lab: Lab, bridge: Bridge): Promise<LabProcess> {
  const ns = lab.namespace("router");
  lab.link(ns, "lan", bridge);
  lab.address(ns, "lan", `${RACK_NETWORK.router}/${RACK_NETWORK.prefix}`);
  const router = lab.spawn(ns, [
    ...["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--conf-file=/dev/null", "--user=root"],
    ...["--port=0", "--interface=lan", "--bind-interfaces", "--leasefile-ro", "--dhcp-authoritative"],
    ...[`--dhcp-range=${RACK_NETWORK.routerPool},1h`],
  ]);
  await router.waitFor(/sockets bound exclusively|IP range/, 5000);
  return router;
}
