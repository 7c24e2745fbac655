// Every setting there is, in three tables: the appliance's, an interface's, a subnet's. Types, defaults, checks and
// docs/configuration.md (`npm run docs`) come out of these rows. The key of a row is the value's name inside Slipway, with
// its unit; `key` is its name in slipway.yaml where that differs. Pure.
import {
  address,
  domain,
  durationMs,
  durationSeconds,
  flag,
  groupName,
  oneOf,
  type Parse,
  path,
  pool,
  port,
  sizeBytes,
  subnet,
  tftpPorts,
} from "./value.ts";

type Words = {
  /** Name in the file when it differs from the inside name. */
  key?: string;
  /** One or two sentences for docs/configuration.md. */
  doc: string;
  /** How it is written in the file. */
  example: string;
};
/** `otherwise` is the default as written in the file, so that documents and program cannot differ. */
export type Setting<T> = Words & { parse: Parse<unknown>; many: boolean; otherwise?: string | number | boolean } & {
  /** Only for the type checker: the type of the value. */
  readonly type?: T;
};

const setting = <T>(row: Words & { parse: Parse<T>; otherwise: string | number | boolean }): Setting<T> => ({
  ...row,
  many: false,
});
const optional = <T>(row: Words & { parse: Parse<T> }): Setting<T | undefined> => ({ ...row, many: false });
const required = <T>(row: Words & { parse: Parse<T> }): Setting<T> & { isRequired: true } => ({
  ...row,
  many: false,
  isRequired: true,
});
const list = <T>(row: Words & { parse: Parse<T> }): Setting<readonly T[] | undefined> => ({ ...row, many: true });

export const SETTINGS = {
  dataDir: setting({
    parse: path,
    otherwise: "./data",
    example: "/var/lib/slipway",
    doc: "Where everything is kept that must outlive a restart: the database, the images, the admin socket. Back it up together with `identity`.",
  }),
  identity: setting({
    parse: path,
    otherwise: "~/.config/slipway/identity.age",
    example: "/etc/slipway/identity.age",
    doc: "The key that opens the sealed secrets in dataDir: mode 0600, and outside dataDir, so that a stolen dataDir alone is useless. It is made on the first start; keep a copy elsewhere.",
  }),
  adminGroup: optional({
    parse: groupName,
    example: "slipway",
    doc: "The group that may use the admin socket, and with it everything. Default: the group of the user who starts the appliance (under sudo: who called it).",
  }),
  "retention.eventsMs": setting({
    key: "retention.events",
    parse: durationMs("1h", "5200w"),
    otherwise: "90d",
    example: "30d",
    doc: "How long the events of machines are kept. The newest 5000 stay however old they look, in case the clock is wrong.",
  }),
  "retention.logBytes": setting({
    key: "retention.logs",
    parse: sizeBytes("1MiB", "1TiB"),
    otherwise: "256MiB",
    example: "1GiB",
    doc: "How much of the machines' log lines is kept; the oldest go first.",
  }),
  "log.level": setting({
    parse: oneOf("debug", "info", "warn", "error"),
    otherwise: "info",
    example: "debug",
    doc: "The least level that the appliance's own log shows.",
  }),
  "log.format": setting({
    parse: oneOf("pretty", "json"),
    otherwise: "pretty",
    example: "json",
    doc: "`pretty` for people, `json` (one object per line) for programs.",
  }),
  "http.port": setting({
    parse: port,
    otherwise: 8080,
    example: "80",
    doc: "TCP port for boot scripts and images.",
  }),
  "grpc.port": setting({
    parse: port,
    otherwise: 8443,
    example: "443",
    doc: "TCP port for the machines' agents (mTLS).",
  }),
  armedMs: setting({
    key: "armedTime",
    parse: durationMs("10m", "52w"),
    otherwise: "24h",
    example: "72h",
    doc: "How long an approved machine may be given its config, from the moment its agent is first heard with an install ordered. Afterwards `slipway install MAC` opens the window anew.",
  }),
  "tftp.portRange": setting({
    parse: tftpPorts,
    otherwise: "49152-65535",
    example: "single-port",
    doc: "UDP ports that TFTP transfers are answered from. `single-port` answers from 69 itself, for firewalls that know no TFTP; some old firmware does not understand that.",
  }),
  "cache.bytes": setting({
    parse: sizeBytes("1MiB", "1TiB"),
    otherwise: "512MiB",
    example: "2GiB",
    doc: "RAM for images that are served by HTTP; what does not fit is read from disk.",
  }),
} as const satisfies Record<string, Setting<unknown>>;

/** Keys under `interfaces.<name>`. What is undefined here is derived from the live interface by server/dhcp. */
export const INTERFACE_SETTINGS = {
  dhcp: setting({
    parse: oneOf("auto", "server", "proxy", "off"),
    otherwise: "auto",
    example: "proxy",
    doc: "`server` gives out addresses; `proxy` leaves that to another DHCP server and adds only the boot data; `auto` looks which of the two is right and never becomes a second server beside another; `off` serves no DHCP. docs/dhcp-modes.md.",
  }),
  pool: optional({
    parse: pool,
    example: "192.0.2.100-192.0.2.199",
    doc: "Addresses to give out in the interface's own subnet. Default: the upper half of that subnet, own addresses and gateway left out.",
  }),
  gateway: optional({
    parse: address,
    example: "192.0.2.1",
    doc: "The router that machines are told. Default: none.",
  }),
  dns: list({ parse: address, example: "[192.0.2.1]", doc: "Name servers that machines are told. Default: none." }),
  ntp: list({ parse: address, example: "[192.0.2.1]", doc: "Time servers that machines are told. Default: none." }),
  domain: optional({ parse: domain, example: "rack1.example.org", doc: "The domain that machines are told." }),
  leaseSeconds: setting({
    key: "leaseTime",
    parse: durationSeconds("120s", "365d"),
    otherwise: "1h",
    example: "12h",
    doc: "How long an address is given for.",
  }),
  strangers: setting({
    parse: oneOf("boot", "disk", "ignore"),
    otherwise: "boot",
    example: "ignore",
    doc: "What a machine gets that nobody approved: `boot` loads Slipway OS, which enrols and then waits for approval; `disk` sends it on to its disk; `ignore` gives no boot data.",
  }),
  authoritative: setting({
    parse: flag,
    otherwise: true,
    example: "false",
    doc: "Whether a client that asks for an address of another network is refused at once (DHCPNAK), so that it gets a fitting one without waiting. `false` stays silent.",
  }),
  probe: setting({
    parse: flag,
    otherwise: true,
    example: "false",
    doc: "Whether an address is probed by ARP before it is offered for the first time.",
  }),
  force: setting({
    parse: flag,
    otherwise: false,
    example: "true",
    doc: "Gives out addresses although another DHCP server answers on this network. Two servers with overlapping pools break a network: only when you know that theirs do not overlap.",
  }),
} as const satisfies Record<string, Setting<unknown>>;

/** Keys of one entry of `interfaces.<name>.subnets`. */
export const SUBNET_SETTINGS = {
  subnet: required({ parse: subnet, example: "10.30.1.0/24", doc: "The network; must be given." }),
  pool: optional({
    parse: pool,
    example: "10.30.1.100-10.30.1.199",
    doc: "Addresses to give out. Default: the upper half of the subnet.",
  }),
  exclude: list({
    parse: address,
    example: "[10.30.1.150]",
    doc: "Addresses inside the pool that are never given out.",
  }),
  gateway: optional({ parse: address, example: "10.30.1.1", doc: "The router that machines are told. Default: none." }),
  isRelayed: setting({
    key: "relayed",
    parse: flag,
    otherwise: false,
    example: "true",
    doc: "Whether the subnet is behind a DHCP relay; otherwise it is on the interface's own wire.",
  }),
} as const satisfies Record<string, Setting<unknown>>;

type Head<K> = K extends `${infer H}.${string}` ? H : K;
type Tail<K, H> = H extends string ? (K extends `${H}.${infer R}` ? R : never) : never;
type ValueOf<S> = S extends Setting<infer T> ? T : never;
/** `{ "http.port": Setting<number> }` → `{ http: { port: number } }`. */
export type Values<T> = {
  [H in Head<keyof T> & string]: H extends keyof T ? ValueOf<T[H]> : Values<{ [K in keyof T as Tail<K, H>]: T[K] }>;
};

export type SubnetConfig = Values<typeof SUBNET_SETTINGS>;
export type InterfaceConfig = Values<typeof INTERFACE_SETTINGS> & { name: string; subnets: readonly SubnetConfig[] };
/** All settings, complete: defaults filled in, paths absolute. */
export type Config = Values<typeof SETTINGS> & { interfaces: readonly InterfaceConfig[] };
