// Which services a node has, and what makes one start again.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  planServices,
  quoteArgument,
  SERVICE_ORDER,
  type ServiceInput,
  type ServiceName,
} from "../../../node-agent/kubernetes/services.ts";
import { controlPlane, facts, worker } from "../../server/contract/kubernetes/sample.ts";

const base: ServiceInput = {
  config: controlPlane(),
  facts: facts(),
  nodeIp: "192.0.2.7",
  ephemeralDevice: "/dev/disk/by-partuuid/1",
  etcdStart: { kind: "resume" },
};
const keyOf = (over: Partial<ServiceInput>, name: ServiceName) =>
  planServices({ ...base, ...over }).find((s) => s.name === name)?.restartKey;

test("planServices names them in the order of their start", () => {
  expect(planServices(base).map((s) => s.name)).toEqual(SERVICE_ORDER);
});
test.each([
  ["a container has no EPHEMERAL", { ephemeralDevice: undefined }, "slipway-ephemeral"],
  ["a worker has no etcd", { config: worker() }, "etcd"],
  ["a control plane without the word has no etcd", { etcdStart: undefined }, "etcd"],
] as const)("%s", (_, over, name) => {
  expect(planServices({ ...base, ...over }).map((s) => s.name)).toEqual(SERVICE_ORDER.filter((n) => n !== name));
});

test("how etcd was begun is no reason to restart it, but its next start goes on with the data", () => {
  const begun = planServices({ ...base, etcdStart: { kind: "bootstrap", token: "t" } }).find((s) => s.name === "etcd")!;
  const later = planServices(base).find((s) => s.name === "etcd")!;
  expect(begun.restartKey).toBe(later.restartKey);
  expect(begun.dropIn!.text).toContain("--initial-cluster-state=new");
  expect(begun.dropIn!.text).toContain("--initial-cluster-token=t");
  expect(later.dropIn!.text).toContain("--initial-cluster-state=existing");
  expect(later.dropIn!.text).not.toContain("--initial-cluster=");
});

test.each<[string, Partial<ServiceInput>, ServiceName[]]>([
  ["another address", { nodeIp: "192.0.2.8", facts: facts({ addresses: ["192.0.2.8"] }) }, ["etcd", "kubelet"]],
  ["another platform", { facts: facts({ platform: "container" }) }, ["containerd", "kubelet"]],
  ["other resolvers", { facts: facts({ resolvers: [] }) }, []],
  ["renewed certificates", { facts: facts({ versions: { config: "7", secrets: "4" } }) }, []],
])("%s restarts %j", (_, over, restarted) => {
  const changed = SERVICE_ORDER.filter((name) => keyOf(over, name) !== keyOf({}, name));
  expect(changed).toEqual(restarted);
});

test("only what the config decides is a drop-in", () => {
  const dropIns = planServices(base).filter((s) => s.dropIn !== undefined);
  expect(dropIns.map((s) => s.name)).toEqual(["etcd", "kubelet"]);
});

test("the disk of /var stands in the file that its unit names", () => {
  const unit = readFileSync("systemd/image/slipway-ephemeral.service", "utf8");
  const { path, text } = planServices(base)[0]!.reads!;
  expect(unit).toContain(`\nEnvironmentFile=${path}\n`);
  expect(unit).toContain(`\nExecStart=/usr/bin/mount -o nosuid,nodev \${${text.split("=")[0]}} /var\n`);
  expect(text).toBe("SLIPWAY_EPHEMERAL=/dev/disk/by-partuuid/1\n");
});

test.each([
  ["--name=value", "--name=value"],
  ["a b", '"a b"'],
  ["50%", "50%%"],
  ["$HOME", '"$$HOME"'],
  ['say "x"\\', '"say \\"x\\"\\\\"'],
  ["", '""'],
])("quoteArgument writes %s as systemd reads it", (argument, written) => {
  expect(quoteArgument(argument)).toBe(written);
});
