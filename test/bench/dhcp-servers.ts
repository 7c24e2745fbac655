// The DHCP servers that dhcp.ts compares, each as a person would run it on one interface: the whole Slipway appliance with
// its inventory on disk (synchronous=FULL), Kea with its lease file (never synced), dnsmasq with its own. Same pool (a /12,
// so that no run is ended by it), same lease time, boot file by architecture.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const SERVER_IP = "10.96.0.1";
export const SERVER_CIDR = `${SERVER_IP}/12`;
export const CLIENT_IP = "10.96.0.2";
const POOL = { first: "10.97.0.0", last: "10.110.255.255" };

export type ServerKind = "slipway" | "slipway-probe" | "kea" | "dnsmasq";
export type ServerPlan = { command: string[]; env?: Record<string, string> };

const PROJECT = join(import.meta.dirname, "../..");

function slipway(dir: string, probe: boolean, node: readonly string[]): ServerPlan {
  const file = join(dir, "slipway.yaml");
  const settings = {
    dataDir: join(dir, "data"),
    identity: join(dir, "identity.age"),
    log: { level: "warn", format: "json" },
    // JSON is YAML. `force` skips the ten seconds of looking for others; there is nobody else in this namespace.
    interfaces: { eth0: { dhcp: "server", force: true, probe, pool: `${POOL.first}-${POOL.last}`, leaseTime: "1h" } },
  };
  writeFileSync(file, JSON.stringify(settings));
  // As ./slipway starts it.
  const command = [
    process.execPath,
    "--max-semi-space-size=8",
    ...node,
    join(PROJECT, "server/cli/main.ts"),
    "serve",
    "--config",
    file,
  ];
  return { command };
}

function kea(dir: string): ServerPlan {
  const file = join(dir, "kea.json");
  const settings = {
    Dhcp4: {
      "interfaces-config": { interfaces: ["eth0"], "dhcp-socket-type": "raw" },
      "lease-database": { type: "memfile", persist: true, name: join(dir, "kea.csv"), "lfc-interval": 0 },
      "valid-lifetime": 3600,
      "client-classes": [
        { name: "uefi", test: "option[93].hex == 0x0007", "boot-file-name": "ipxe.efi", "next-server": SERVER_IP },
      ],
      subnet4: [{ subnet: "10.96.0.0/12", pools: [{ pool: `${POOL.first} - ${POOL.last}` }] }],
      loggers: [{ name: "kea-dhcp4", severity: "WARN", output_options: [{ output: "stderr" }] }],
      "multi-threading": { "enable-multi-threading": false },
    },
  };
  writeFileSync(file, JSON.stringify(settings));
  // Its own lock file and pid file belong into this run's directory.
  return { command: ["kea-dhcp4", "-c", file], env: { KEA_PIDFILE_DIR: dir, KEA_LOCKFILE_DIR: dir } };
}

function dnsmasq(dir: string): ServerPlan {
  const command = [
    ...["dnsmasq", "--no-daemon", "--port=0", "--conf-file=/dev/null", "--user=root", "--no-ping", "--quiet-dhcp"],
    ...["--interface=eth0", "--dhcp-authoritative", "--dhcp-lease-max=1000000", "--log-facility=/dev/null"],
    `--dhcp-range=${POOL.first},${POOL.last},1h`,
    ...["--dhcp-match=set:uefi,93,7", `--dhcp-boot=tag:uefi,ipxe.efi,,${SERVER_IP}`],
    `--dhcp-leasefile=${join(dir, "dnsmasq.leases")}`,
  ];
  return { command };
}

/** @param node options for the appliance's Node, such as `--cpu-prof`. */
export function planServer(kind: ServerKind, dir: string, node: readonly string[] = []): ServerPlan {
  mkdirSync(dir, { recursive: true });
  const PLANS: Record<ServerKind, () => ServerPlan> = {
    slipway: () => slipway(dir, false, node),
    "slipway-probe": () => slipway(dir, true, node),
    kea: () => kea(dir),
    dnsmasq: () => dnsmasq(dir),
  };
  return PLANS[kind]();
}
