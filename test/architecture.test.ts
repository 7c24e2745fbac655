// Who may import whom, and which files may touch the world (docs/architecture.md). The table is the rule.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const ERRORS = "server/contract/errors.ts";
const BOOT = ["server/boot", "inventory", ERRORS];

/** room → rooms its files may import besides their own. The longest matching room wins. */
export const MAY_IMPORT: Record<string, readonly string[]> = {
  ipxe: [ERRORS],
  inventory: [ERRORS],
  "boot-assets": [ERRORS],
  "boot-assets/image": [
    ERRORS,
    "node-agent/run-bundle.ts",
    // The place of GRUB's core on the disk, and its early config, are decided once for installer and image.
    "node-agent/install/layout.ts",
    "node-agent/install/grub-config.ts",
  ],
  "boot-assets/image/kubernetes": [ERRORS, "boot-assets/image", "server/contract/kubernetes/node-paths.ts"],
  "server/contract": [],
  "server/boot": ["inventory", "ipxe", "boot-assets", "server/contract/token-bucket.ts", ERRORS],
  "server/byte-reader.ts": [ERRORS],
  "server/log.ts": [ERRORS, "server/boot"],
  "server/observe.ts": [ERRORS, "server/boot", "inventory"],
  "server/config": [ERRORS, "inventory/address.ts"],
  "server/dhcp": [...BOOT, "server/byte-reader.ts", "server/observe.ts"],
  "server/tftp": [...BOOT, "server/byte-reader.ts"],
  "server/oci": [ERRORS],
  "server/http": [...BOOT, "ipxe", "boot-assets", "server/contract", "server/oci"],
  "server/secrets": [ERRORS, "server/contract"],
  "server/grpc": [...BOOT, "server/contract"],
  "server/rest": [...BOOT, "server/contract", "server/cluster", "server/oci"],
  "server/cluster": ["server/contract", "inventory", "server/grpc/cluster-port.ts", ERRORS],
  "server/cli": [
    ...["server/contract", "server/rest", "server/config", "server/main.ts", "inventory", "server/log.ts"],
    "boot-assets/image/kubernetes/find-kubectl.ts",
  ],
  "server/appliance": ["server", "inventory", "ipxe", "boot-assets"],
  "server/main.ts": ["server", "inventory", "ipxe", "boot-assets"],
  "node-agent": ["server/contract"],
  "node-agent/node": ["node-agent", "server/contract"],
  "node-agent/kubernetes": ["server/contract"],
};

/** Only these files may touch the world: sockets, files, clocks, processes. All others are pure. */
export const EDGE =
  /(^|\/)(main|app|server|socket|database|store|service|observe|report|log|run-[a-z-]+|read-[a-z-]+|open-[a-z-]+|[a-z-]+-(routes|queries|socket|service))\.ts$/;
/** Rooms that are programs for people or builds: every file there is an edge. */
const EDGE_ROOMS = ["server/cli", "boot-assets/image", "node-agent/steps"];
/** Packages that pure files may use; the rooms in PURE_EXTRA may use more. */
const PURE_PACKAGES = new Set(["node:buffer", "node:util"]);
const PURE_EXTRA: Record<string, readonly string[]> = {
  "server/contract/pki": ["node-forge/lib/asn1.js", "node:crypto"],
  "server/contract/pairing-code.ts": ["node:crypto"],
  "server/contract/machine-config": ["yaml", "node-forge/lib/asn1.js"],
  "server/contract/kubernetes": ["yaml"],
  "server/cluster": ["yaml"],
  "node-agent/install": ["node:crypto"],
  "node-agent/kubernetes": ["node:crypto", "yaml"],
  "server/contract/generated": ["@bufbuild/protobuf/wire", "@grpc/grpc-js"],
  "server/config": ["yaml", "zod"],
  "server/rest": ["zod", "yaml"],
};
const HIDDEN_INPUT = /\b(Date\.now|new Date\(\)|Math\.random|process\.env|setTimeout|setInterval)\b/;

const inside = (path: string, room: string) => path === room || path.startsWith(`${room}/`);
const roomOf = (path: string) =>
  Object.keys(MAY_IMPORT)
    .filter((room) => inside(path, room))
    .sort((a, b) => b.length - a.length)[0];
const isEdge = (path: string) => EDGE.test(path) || EDGE_ROOMS.some((room) => inside(path, room));
const mayUse = (path: string, name: string) =>
  isEdge(path) ||
  PURE_PACKAGES.has(name) ||
  Object.entries(PURE_EXTRA).some(([room, extra]) => inside(path, room) && extra.includes(name));

/** Type-only imports bind nothing at run time: directions hold for them, purity does not. */
const IMPORT = /(?:import|export)\s+(type\s)?[^;"]*?from\s+"([^"]+)"/g;

/** What is wrong with one file, as sentences; empty when nothing is. */
export function faultsOf(path: string, source: string): string[] {
  const faults: string[] = [];
  const room = roomOf(path);
  if (!room) return [`${path} is in no room; add it to MAY_IMPORT or move it`];
  for (const [, typeOnly, from] of source.matchAll(IMPORT)) {
    if (!from!.startsWith(".")) {
      if (!typeOnly && !mayUse(path, from!)) faults.push(`${path} is pure, yet imports ${from}`);
      continue;
    }
    const target = normalize(join(dirname(path), from!));
    const allowed = [room, ...MAY_IMPORT[room]!];
    if (!allowed.some((r) => inside(target, r))) faults.push(`${path} may import ${allowed.join(", ")}; not ${target}`);
    if (!typeOnly && !isEdge(path) && isEdge(target)) faults.push(`${path} is pure, yet imports the edge ${target}`);
  }
  if (!isEdge(path) && HIDDEN_INPUT.test(source))
    faults.push(`${path} is pure; take time, chance and settings as arguments`);
  const lines = source.split("\n").length;
  if (lines > 301 && !source.includes("// long because:"))
    faults.push(`${path} has ${lines} lines; split it or say why`);
  return faults;
}

for (const path of globSync("{server,ipxe,boot-assets,inventory,node-agent}/**/*.ts").filter(
  (p) => !p.includes("/generated/"),
)) {
  test(path, () => expect(faultsOf(path, readFileSync(path, "utf8"))).toEqual([]));
}

const BROKEN = [
  {
    name: "a leaf that imports the server",
    path: "ipxe/quote.ts",
    source: 'import { a } from "../server/boot/client.ts";',
  },
  {
    name: "an agent that imports DHCP",
    path: "node-agent/plan.ts",
    source: 'import { a } from "../server/dhcp/packet.ts";',
  },
  { name: "a pure file with a package", path: "ipxe/quote.ts", source: 'import { a } from "yaml";' },
  { name: "a pure file with a clock", path: "ipxe/quote.ts", source: "export const now = () => Date.now();" },
  {
    name: "a pure file that imports an edge",
    path: "server/dhcp/reply.ts",
    source: 'import { a } from "./socket.ts";',
  },
  { name: "a file over the wall", path: "ipxe/quote.ts", source: "\n".repeat(400) },
  { name: "a file in no room", path: "lib/quote.ts", source: "" },
];
for (const { name, path, source } of BROKEN) {
  test(`faultsOf refuses ${name}`, () => expect(faultsOf(path, source)).toHaveLength(1));
}
