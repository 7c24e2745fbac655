// What slipway.yaml may say, and the words for each thing it may not.
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkSettings, defaultInterface } from "../../../server/config/check-settings.ts";

const check = (text: string, interfaceNames: string[] = []) =>
  checkSettings(text, {
    fileName: "slipway.yaml",
    interfaceNames,
    resolvePath: (path) => (path.startsWith("/") ? path : `/srv/${path.replace(/^(\.|~)\//, "")}`),
  });
const faultsOf = (text: string, interfaceNames: string[] = []) => {
  const checked = check(text, interfaceNames);
  return checked.kind === "faults" ? checked.faults.map((f) => `${f.at}: ${f.message}`) : [];
};
const configOf = (text: string, interfaceNames: string[] = []) => {
  const checked = check(text, interfaceNames);
  if (checked.kind === "faults") throw new Error(JSON.stringify(checked.faults));
  return checked.config;
};

const DEFAULTS = {
  dataDir: "/srv/data",
  identity: "/srv/.config/slipway/identity.age",
  adminGroup: undefined,
  retention: { eventsMs: 90 * 86_400_000, logBytes: 256 * 2 ** 20 },
  log: { level: "info", format: "pretty" },
  http: { port: 8080 },
  grpc: { port: 8443 },
  tftp: { portRange: { kind: "range", first: 49_152, last: 65_535 } },
  armedMs: 86_400_000,
  cache: { bytes: 512 * 2 ** 20 },
  interfaces: [],
};
const ETH1 = {
  name: "eth1",
  dhcp: "auto",
  pool: undefined,
  gateway: undefined,
  dns: undefined,
  ntp: undefined,
  domain: undefined,
  leaseSeconds: 3600,
  strangers: "boot",
  authoritative: true,
  probe: true,
  force: false,
  subnets: [],
};

/** The file of issue 8, whole. */
const WHOLE = `dataDir: ./data
identity: ~/.config/slipway/identity.age      # the key that opens sealed secrets
adminGroup: slipway
retention: { events: 90d, logs: 256MiB }
log: { level: info, format: pretty }
http: { port: 8080 }
grpc: { port: 8443 }
tftp: { portRange: 49152-65535 }
armedTime: 24h
cache: { bytes: 512MiB }
interfaces:
  eth1:
    dhcp: auto
    pool: 192.0.2.100-192.0.2.199
    gateway: 192.0.2.1
    dns: [192.0.2.1, 192.0.2.2]
    ntp: 192.0.2.1
    domain: Rack1.example.org
    leaseTime: 1h
    strangers: boot
    authoritative: true
    probe: true
    force: false
    subnets:
      - { subnet: 10.30.1.0/24, pool: 10.30.1.100-10.30.1.199, exclude: [10.30.1.150], gateway: 10.30.1.1, relayed: true }
`;

test("checkSettings gives every default for an empty file", () => {
  for (const text of ["", "# nothing\n", "interfaces:\n", "---\n"]) expect(configOf(text)).toEqual(DEFAULTS);
});

test("checkSettings reads every key that there is", () => {
  expect(configOf(WHOLE)).toEqual({
    ...DEFAULTS,
    adminGroup: "slipway",
    interfaces: [
      {
        ...ETH1,
        pool: { first: "192.0.2.100", last: "192.0.2.199" },
        gateway: "192.0.2.1",
        dns: ["192.0.2.1", "192.0.2.2"],
        ntp: ["192.0.2.1"],
        domain: "rack1.example.org",
        subnets: [
          {
            subnet: "10.30.1.0/24",
            pool: { first: "10.30.1.100", last: "10.30.1.199" },
            exclude: ["10.30.1.150"],
            gateway: "10.30.1.1",
            isRelayed: true,
          },
        ],
      },
    ],
  });
});

test("checkSettings adds an interface of the command line with defaults, and leaves the file's alone", () => {
  expect(configOf("", ["eth1"]).interfaces).toEqual([ETH1]);
  expect(configOf("interfaces: { eth1: }", ["eth1", "eth1"]).interfaces).toEqual([ETH1]);
  const both = configOf("interfaces: { eth1: { dhcp: proxy } }", ["eth1", "br0.100"]).interfaces;
  expect(both.map((i) => [i.name, i.dhcp])).toEqual([
    ["eth1", "proxy"],
    ["br0.100", "auto"],
  ]);
  expect(defaultInterface("eth1")).toEqual(ETH1);
});

const ROWS: { name: string; text: string; want: string[]; interfaceNames?: string[] }[] = [
  {
    name: "a wrong word, with line and column of the value",
    text: WHOLE.replace("dhcp: auto", "dhcp: prxy"),
    want: ['slipway.yaml:13:11: interfaces.eth1.dhcp: must be one of auto, server, proxy, off, found "prxy"'],
  },
  {
    name: "all faults at once, in the order of the file",
    text: "http: { port: 0 }\ngprc: { port: 1 }\ninterfaces:\n  eth1:\n    leaseTime: 60s\n    probe: yes\n",
    want: [
      "slipway.yaml:1:15: http.port: must be a port from 1 to 65535, found 0",
      "slipway.yaml:2:1: gprc: no such setting; did you mean grpc?",
      'slipway.yaml:5:16: interfaces.eth1.leaseTime: must be a duration from 120s to 365d, a whole number with s, m, h, d or w such as 1h, found "60s"',
      'slipway.yaml:6:12: interfaces.eth1.probe: must be true or false, found "yes"',
    ],
  },
  {
    name: "a rule between lines beside a wrong line",
    text: "http: { port: 9000 }\ngrpc: { port: 9000 }\nlog: { level: loud }\n",
    want: [
      "slipway.yaml:2:15: grpc.port: must differ from http.port, found 9000 for both",
      'slipway.yaml:3:15: log.level: must be one of debug, info, warn, error, found "loud"',
    ],
  },
  {
    name: "a key of another place",
    text: "port: 80\n",
    want: ["slipway.yaml:1:1: port: no such setting; did you mean http.port?"],
  },
  {
    name: "a key that looks like nothing",
    text: "log: { colour: red }\n",
    want: ["slipway.yaml:1:8: log.colour: no such setting; known here: level, format"],
  },
  {
    name: "keys that JavaScript objects have by birth",
    text: "__proto__: { x: 1 }\nconstructor: 1\nlog: { toString: 1 }\n",
    want: [
      "slipway.yaml:1:1: __proto__: no such setting; known here: dataDir, identity, adminGroup, retention, log, http, grpc, armedTime, tftp, cache, interfaces",
      "slipway.yaml:2:1: constructor: no such setting; known here: dataDir, identity, adminGroup, retention, log, http, grpc, armedTime, tftp, cache, interfaces",
      "slipway.yaml:3:8: log.toString: no such setting; known here: level, format",
    ],
  },
  {
    name: "a key given twice",
    text: "http: { port: 80 }\nhttp: { port: 81 }\n",
    want: ["slipway.yaml:2:1: http: is given twice; keep one"],
  },
  {
    name: "a key without a value",
    text: "dataDir:\n",
    want: ["slipway.yaml:1:9: dataDir: has no value; give one, or leave the line out for the default"],
  },
  {
    name: "a map, a list and a text where they do not belong",
    text: "dataDir: { a: 1 }\nidentity: [a]\nhttp: 80\ninterfaces: [eth1]\n",
    want: [
      "slipway.yaml:1:10: dataDir: must be a path (relative to this file, absolute, or beginning with ~/), found a map",
      "slipway.yaml:2:11: identity: must be a path (relative to this file, absolute, or beginning with ~/), found a list",
      "slipway.yaml:3:7: http: must be a map of settings, found 80",
      "slipway.yaml:4:13: interfaces: must be a map from names to settings, found a list",
    ],
  },
  {
    name: "a port as text, a fraction, too large",
    text: 'http: { port: "80" }\ngrpc: { port: 1.5 }\n',
    want: [
      'slipway.yaml:1:15: http.port: must be a port from 1 to 65535, found "80"',
      "slipway.yaml:2:15: grpc.port: must be a port from 1 to 65535, found 1.5",
    ],
  },
  {
    name: "durations and sizes without unit",
    text: "retention: { events: 90, logs: 256MB }\ncache: { bytes: 5 }\n",
    want: [
      "slipway.yaml:1:22: retention.events: must be a duration from 1h to 5200w, a whole number with s, m, h, d or w such as 1h, found 90",
      'slipway.yaml:1:32: retention.logs: must be a size from 1MiB to 1TiB, a whole number with KiB, MiB, GiB or TiB such as 512MiB, found "256MB"',
      "slipway.yaml:2:17: cache.bytes: must be a size from 1MiB to 1TiB, a whole number with KiB, MiB, GiB or TiB such as 512MiB, found 5",
    ],
  },
  {
    name: "one bad address of a list, at its own place",
    text: "interfaces:\n  eth1:\n    dns: [192.0.2.1, 192.0.2.256]\n    ntp: [010.0.0.1]\n",
    want: [
      'slipway.yaml:3:22: interfaces.eth1.dns[1]: must be an IPv4 address such as 192.0.2.1, found "192.0.2.256"',
      'slipway.yaml:4:11: interfaces.eth1.ntp[0]: must be an IPv4 address such as 192.0.2.1, found "010.0.0.1"',
    ],
  },
  {
    name: "addresses that no machine can have",
    text: "interfaces: { eth1: { gateway: 127.0.0.1, dns: [224.0.0.1, 0.0.0.0, 255.255.255.255] } }\n",
    want: ["127.0.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255"].map((ip) =>
      expect.stringContaining(`must be an IPv4 address such as 192.0.2.1, found "${ip}"`),
    ),
  },
  {
    name: "a pool that runs backwards",
    text: "interfaces: { eth1: { pool: 192.0.2.199-192.0.2.100 } }\n",
    want: [
      'slipway.yaml:1:29: interfaces.eth1.pool: must be two IPv4 addresses, the lower first, such as 192.0.2.100-192.0.2.199, found "192.0.2.199-192.0.2.100"',
    ],
  },
  {
    name: "a name that no interface can have",
    text: "interfaces: { averyverylongname0: {}, eth 1: {}, a/b: {} }\n",
    want: ["averyverylongname0", "eth 1", "a/b"].map((name) =>
      expect.stringContaining(`interfaces.${name}: must be the name of a network interface, at most 15 characters`),
    ),
  },
  {
    name: "a bad name on the command line",
    text: "",
    interfaceNames: ["eth/1"],
    want: ["--interface eth/1: must be the name of a network interface, at most 15 characters"],
  },
  {
    name: "a subnet with host bits, without subnet, too small",
    text: "interfaces:\n  eth1:\n    subnets:\n      - subnet: 10.30.1.7/24\n      - pool: 10.1.0.1-10.1.0.2\n      - subnet: 10.0.0.0/31\n",
    want: [
      'slipway.yaml:4:17: interfaces.eth1.subnets[0].subnet: must be a network with its prefix length (8 to 30) such as 10.30.1.0/24 (did you mean 10.30.1.0/24?), found "10.30.1.7/24"',
      "slipway.yaml:5:9: interfaces.eth1.subnets[1].subnet: must be given",
      'slipway.yaml:6:17: interfaces.eth1.subnets[2].subnet: must be a network with its prefix length (8 to 30) such as 10.30.1.0/24, found "10.0.0.0/31"',
    ],
  },
  {
    name: "pool, gateway and exclude outside their subnet",
    text: "interfaces:\n  eth1:\n    subnets:\n      - subnet: 10.30.1.0/24\n        pool: 10.30.1.100-10.30.1.255\n        gateway: 10.30.2.1\n        exclude: [10.30.1.99]\n",
    want: [
      "slipway.yaml:5:15: interfaces.eth1.subnets[0].pool: must lie inside 10.30.1.0/24 (10.30.1.1 to 10.30.1.254), found 10.30.1.100-10.30.1.255",
      "slipway.yaml:6:18: interfaces.eth1.subnets[0].gateway: must lie inside 10.30.1.0/24 (10.30.1.1 to 10.30.1.254), found 10.30.2.1",
      "slipway.yaml:7:19: interfaces.eth1.subnets[0].exclude[0]: must lie inside the pool 10.30.1.100-10.30.1.255, found 10.30.1.99",
    ],
  },
  {
    name: "subnets that overlap or come twice, across interfaces too",
    text: "interfaces:\n  eth1: { subnets: [{ subnet: 10.0.0.0/16 }, { subnet: 10.0.0.0/16 }] }\n  eth2: { subnets: [{ subnet: 10.0.3.0/24 }] }\n",
    want: [
      "slipway.yaml:2:56: interfaces.eth1.subnets[1].subnet: 10.0.0.0/16 is given twice (also on eth1); keep one",
      "slipway.yaml:3:31: interfaces.eth2.subnets[0].subnet: 10.0.3.0/24 overlaps 10.0.0.0/16 on eth1; no address may be in two subnets",
    ],
  },
  {
    name: "the short form and the long form of one network",
    text: "interfaces:\n  eth1: { pool: 10.0.0.10-10.0.0.20, subnets: [{ subnet: 10.0.0.0/24 }] }\n  eth2: { pool: 10.9.0.1-10.9.0.9 }\n  eth3: { pool: 10.9.0.9-10.9.0.30 }\n",
    want: [
      "slipway.yaml:2:17: interfaces.eth1.pool: 10.0.0.10-10.0.0.20 lies in 10.0.0.0/24, which eth1.subnets lists; keep one of the two",
      "slipway.yaml:4:17: interfaces.eth3.pool: 10.9.0.9-10.9.0.30 overlaps the pool of eth2, 10.9.0.1-10.9.0.9",
    ],
  },
  {
    name: "an identity inside dataDir",
    text: "dataDir: /var/lib/slipway\nidentity: /var/lib/slipway/identity.age\n",
    want: [
      "slipway.yaml:2:11: identity: must be outside dataDir, found /var/lib/slipway/identity.age inside /var/lib/slipway: whoever takes dataDir would have the key too",
    ],
  },
  {
    name: "an admin socket with too long a path",
    text: `dataDir: /${"d".repeat(97)}\n`,
    want: [
      `slipway.yaml:1:10: dataDir: the admin socket /${"d".repeat(97)}/admin.sock would have a path of 109 bytes, and the system allows 107; choose a shorter dataDir`,
    ],
  },
  {
    name: "a TFTP range with the PXE port, and one that is none",
    text: "tftp: { portRange: 4000-5000 }\n",
    want: ["slipway.yaml:1:20: tftp.portRange: must leave out 4011, which is the PXE port of DHCP"],
  },
  {
    name: "a tab",
    text: "http:\n\tport: 80\n",
    want: ["slipway.yaml:2:1: a tab is used to indent; YAML wants spaces"],
  },
  {
    name: "an anchor and an alias",
    text: "http: &a { port: 80 }\ngrpc: *a\n",
    want: [
      "slipway.yaml:1:10: the anchor &a is not allowed; write the value out where it is needed",
      "slipway.yaml:2:7: the alias *a is not allowed; write the value out",
    ],
  },
  { name: "a tag", text: "dataDir: !x 1\n", want: ["slipway.yaml:1:10: a tag (!…) is not allowed here"] },
  {
    name: "a second document",
    text: "http: { port: 80 }\n---\ngrpc: { port: 80 }\n",
    want: ["slipway.yaml:2:1: a second document begins here (---); a settings file has one"],
  },
  {
    name: "a list as the file",
    text: "- http\n",
    want: ["slipway.yaml:1:1: must be a map of settings, found a list"],
  },
];
for (const { name, text, want, interfaceNames } of ROWS) {
  test(`checkSettings names ${name}`, () => expect(faultsOf(text, interfaceNames)).toEqual(want));
}

test("checkSettings refuses a bomb of aliases without unfolding it", () => {
  const layers = Array.from({ length: 20 }, (_, i) => `l${i + 1}: &l${i + 1} [*l${i},*l${i},*l${i},*l${i}]`);
  const faults = faultsOf(`l0: &l0 x\n${layers.join("\n")}\n`);
  expect(faults).toHaveLength(101);
});

test("checkSettings accepts the longest socket path that the system allows", () => {
  expect(faultsOf(`dataDir: /${"d".repeat(95)}\n`)).toEqual([]);
});

/** Text with some characters replaced, dropped or doubled: slips of the finger, and what an editor leaves after a crash. */
const slips = fc.array(
  fc.tuple(
    fc.nat(WHOLE.length - 1),
    fc.constantFrom("", ":", "-", "{", "]", "\t", "\n", " ", "'", "&a ", "*a", "!", "0", "\u0000", "é"),
  ),
  { minLength: 1, maxLength: 6 },
);
test("checkSettings answers every slip with a config or with placed faults, and never stumbles", () => {
  fc.assert(
    fc.property(slips, (list) => {
      const text = list.reduce((t, [at, what]) => t.slice(0, at) + what + t.slice(at + 1), WHOLE);
      const checked = check(text);
      if (checked.kind === "config") return;
      expect(checked.faults.length).toBeGreaterThan(0);
      for (const { at, message } of checked.faults) {
        expect(at).toMatch(/^slipway\.yaml:[1-9]\d*:[1-9]\d*(: |$)/);
        expect(message).not.toBe("");
      }
    }),
    { numRuns: 500 },
  );
});
