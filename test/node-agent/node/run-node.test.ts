// A node's life with its own files in a directory and its programs recorded: what it lays, what it restarts, what it tells, and
// what it lives through. Kubernetes is a port here.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { KubernetesDeps, KubernetesNode } from "../../../node-agent/kubernetes/port.ts";
import { openLog } from "../../../node-agent/log.ts";
import { type NodeStore, openNodeStore } from "../../../node-agent/node/open-state.ts";
import { keepClock } from "../../../node-agent/node/run-clock.ts";
import { openNode } from "../../../node-agent/node/run-node.ts";
import type { Libc } from "../../../node-agent/open-libc.ts";
import type { NodeLife } from "../../../node-agent/world.ts";
import type { ClusterOrders, NodeStatus } from "../../../server/contract/generated/agent.ts";
import { controlPlaneText, workerText } from "../../server/contract/machine-config/sample.ts";
import { NO_STATUS, until } from "../machine.ts";

let root: string;
let store: NodeStore;
let said: string[];
let ran: string[];
let answer: { code: number; stdout: string; stderr: string };
let names: string[];
let lives: Pick<NodeLife, "stop">[];
const log = () =>
  openLog(
    () => 0,
    (text) => void said.push(text),
  );
const clock = { now: Date.now, uptimeMs: () => performance.now(), set: () => {} };
const wait = (ms: number, signal: AbortSignal) => sleep(ms / 100, undefined, { signal }).catch(() => {});
const at = (path: string) => join(root, path);
const read = (path: string) => readFileSync(at(path), "utf8");
const INSTALL = { order: "o", installId: "i-1", number: 1, disk: "" };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slipway-node-"));
  [said, ran, names, lives] = [[], [], [], []];
  answer = { code: 0, stdout: "", stderr: "" };
  mkdirSync(at("sys/class/net/eth0/device"), { recursive: true });
  mkdirSync(at("run/systemd/netif/leases"), { recursive: true });
  for (const [name, text] of Object.entries({ address: "52:54:00:12:34:56", ifindex: "2", carrier: "1", mtu: "1500" }))
    writeFileSync(at(`sys/class/net/eth0/${name}`), `${text}\n`);
  writeFileSync(
    at("run/systemd/netif/leases/2"),
    "ADDRESS=192.0.2.7\nNETMASK=255.255.255.0\nDNS=192.0.2.53\nDOMAINNAME=lab.example\n",
  );
  store = openNodeStore(at("state"), (text) => void said.push(text));
});
afterEach(async () => {
  for (const life of lives) await life.stop();
  rmSync(root, { recursive: true });
});

/** Kubernetes that says what a test wants. */
function fakeKubernetes(hasApiServer = false) {
  let status: NodeStatus = { ...NO_STATUS, reason: "the kubelet is starting" };
  const given: { deps?: KubernetesDeps; orders: (ClusterOrders | undefined)[]; ended: boolean } = {
    orders: [],
    ended: false,
  };
  const listeners = new Set<(status: NodeStatus) => void>();
  const open = async (deps: KubernetesDeps): Promise<KubernetesNode> => {
    given.deps = deps;
    return {
      setOrders: (orders) => void given.orders.push(orders),
      status: () => status,
      watch: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      probeApiServer: async () => hasApiServer,
      stop: async () => {},
      stopServices: async () => {
        given.ended = true;
      },
    };
  };
  const say = (over: Partial<NodeStatus>) => {
    status = { ...status, ...over };
    for (const listener of listeners) listener(status);
  };
  return { given, open, say };
}

function start(
  text: string,
  over: { isContainer?: boolean; openKubernetes?: (deps: KubernetesDeps) => Promise<KubernetesNode> } = {},
) {
  store.saveInstall(text, INSTALL);
  const stored = store.read();
  if (stored.kind !== "node") throw new Error(JSON.stringify(stored));
  const isContainer = over.isContainer ?? false;
  const stop = new AbortController();
  const libc = {
    sethostname: (name: Buffer) => {
      names.push(name.toString());
      return 0;
    },
    socket: () => -1,
    sendto: () => -1,
    close: () => 0,
    errno: () => 1,
  } as unknown as Libc;
  const life = openNode({
    ...{
      store,
      config: stored.config,
      install: stored.install,
      machine: { root },
      isContainer,
      libc,
      wait,
      log: log(),
    },
    clock: keepClock({ clock, machine: { root }, store, isContainer, log: log(), wait }, stop.signal),
    uptimeMs: clock.uptimeMs,
    chance: () => 0,
    run: async (program, args) => {
      ran.push([program, ...args].join(" "));
      return answer;
    },
    ephemeralDevice: undefined,
    openKubernetes: over.openKubernetes ?? fakeKubernetes().open,
  });
  lives.push({
    stop: () => {
      stop.abort();
      return life.stop();
    },
  });
  return life;
}

const NETWORK = `  network:
    hostname: w-1
    interfaces: [{interface: eth0, addresses: [192.0.2.10/24], routes: [{gateway: 192.0.2.1}]}]
    nameservers: [192.0.2.54]
    searchDomains: [rack.example]
    extraHostEntries: [{ip: 192.0.2.99, aliases: [registry.example]}]
  sysctls: {net.core.somaxconn: "1024"}
  time: {servers: [192.0.2.123]}
`;
const withNetwork = workerText({ machine: NETWORK }).replace("  network: {hostname: w-1}\n", "");

describe("a node's settings", () => {
  test("come from the config: name, network, resolvers, hosts, kernel settings, time", async () => {
    const kubernetes = fakeKubernetes();
    start(withNetwork, { openKubernetes: kubernetes.open });
    await until(
      "Kubernetes",
      () => kubernetes.given.deps !== undefined,
      () => said.join(),
    );
    expect(names).toEqual(["w-1"]);
    expect(read("run/slipway/etc/hostname")).toBe("w-1\n");
    expect(read("run/slipway/etc/resolv.conf")).toBe("nameserver 192.0.2.54\nsearch rack.example\n");
    expect(read("run/slipway/etc/hosts")).toContain("192.0.2.99 registry.example\n");
    expect(read("run/systemd/network/60-slipway-eth0.network")).toContain("Address=192.0.2.10/24\n");
    expect(read("run/sysctl.d/60-slipway-config.conf")).toContain("net.core.somaxconn = 1024\n");
    expect(read("run/systemd/timesyncd.conf.d/10-slipway.conf")).toContain("NTP=192.0.2.123\n");
    expect(ran).toEqual([
      "networkctl reload",
      "systemctl restart systemd-sysctl.service",
      "systemctl restart systemd-timesyncd.service",
    ]);
    for (const path of ["run/systemd/network/60-slipway-eth0.network", "run/slipway/etc/resolv.conf"])
      expect(statSync(at(path)).mode & 0o777).toBe(0o644);
    expect(kubernetes.given.deps).toMatchObject({ platform: "metal", installId: "i-1", stateDir: at("state") });
    expect(kubernetes.given.deps?.surroundings()).toMatchObject({ resolvers: ["192.0.2.54"], mtuBytes: 1500 });
  });

  test("are the lease's where the config says nothing, and stay the image's own otherwise", async () => {
    const kubernetes = fakeKubernetes();
    start(workerText(), { openKubernetes: kubernetes.open });
    await until("Kubernetes", () => kubernetes.given.deps !== undefined);
    expect(read("run/slipway/etc/resolv.conf")).toBe("nameserver 192.0.2.53\nsearch lab.example\n");
    expect([ran, readdirSync(at("run/systemd/network"))]).toEqual([[], []]);
    expect(store.readLeases()["52:54:00:12:34:56"]?.address).toBe("192.0.2.7");
    writeFileSync(at("run/systemd/netif/leases/2"), "ADDRESS=192.0.2.7\nNETMASK=255.255.255.0\nDNS=192.0.2.77\n");
    await until("the new resolver", () => read("run/slipway/etc/resolv.conf") === "nameserver 192.0.2.77\n");
  });

  test("restart nothing when the agent is started again", async () => {
    for (const _ of [1, 2]) {
      const kubernetes = fakeKubernetes();
      start(withNetwork, { openKubernetes: kubernetes.open });
      await until("Kubernetes", () => kubernetes.given.deps !== undefined);
      await lives.pop()!.stop();
    }
    expect(ran).toHaveLength(3);
  });

  test("that a program refuses are told and tried again; the node goes on meanwhile", async () => {
    answer = { code: 1, stdout: "", stderr: "Failed to connect to bus" };
    const kubernetes = fakeKubernetes();
    const life = start(withNetwork, { openKubernetes: kubernetes.open });
    await until("Kubernetes", () => kubernetes.given.deps !== undefined);
    expect(life.status().reason).toContain("the network could not be set: networkctl reload: Failed to connect to bus");
    answer = { code: 0, stdout: "", stderr: "" };
    await until(
      "the mend",
      () => !life.status().reason.includes("could not be set"),
      () => life.status().reason,
    );
  });

  test("of a container leave the host's kernel and clock alone, and say so", async () => {
    const kubernetes = fakeKubernetes();
    const life = start(withNetwork, { isContainer: true, openKubernetes: kubernetes.open });
    await until("Kubernetes", () => kubernetes.given.deps !== undefined);
    expect(ran).toEqual(["networkctl reload"]);
    expect(life.status().configNotes.join()).toMatch(/machine\.sysctls changes nothing in a container.*machine\.time/);
    expect(kubernetes.given.deps).toMatchObject({ platform: "container", ephemeralDevice: undefined });
  });

  test("for a card that is not there are told until it comes", async () => {
    const life = start(withNetwork.replace("interface: eth0", "interface: eth7"));
    await until("the words", () => life.status().reason.includes("names eth7, which this machine does not have"));
    mkdirSync(at("sys/class/net/eth7/device"), { recursive: true });
    for (const [name, text] of Object.entries({ address: "52:54:00:12:34:57", ifindex: "3", carrier: "1" }))
      writeFileSync(at(`sys/class/net/eth7/${name}`), text);
    await until("the card", () => !life.status().reason.includes("eth7"));
    expect(read("run/systemd/network/60-slipway-eth7.network")).toContain("Address=192.0.2.10/24");
  });
});

describe("a node", () => {
  test("is Ready when its cluster says so, with its own id and notes", async () => {
    const kubernetes = fakeKubernetes();
    const life = start(workerText(), { openKubernetes: kubernetes.open });
    let changes = 0;
    life.watch(() => changes++);
    expect(life.status()).toMatchObject({ ready: false, reason: "the node is being set up" });
    await until("Kubernetes", () => kubernetes.given.deps !== undefined);
    await until("its words", () => life.status().reason === "the kubelet is starting");
    kubernetes.say({ ready: true, reason: "" });
    expect(life.status()).toMatchObject({ ready: true, reason: "", installId: "i-1", holdsEndpoint: false });
    expect(life.status().configNotes.join()).toContain("machine.token is stored for the Talos API");
    expect(changes).toBeGreaterThan(0);
    expect([life.role, life.endpoint]).toEqual(["worker", "https://192.0.2.5:6443"]);
  });

  test("tries again when Kubernetes cannot be started", async () => {
    const kubernetes = fakeKubernetes();
    let tries = 0;
    const life = start(workerText(), {
      openKubernetes: async (deps) => {
        if (++tries === 1) throw new Error("port 7000 is taken");
        return kubernetes.open(deps);
      },
    });
    await until("the fault", () => life.status().reason.includes("Kubernetes cannot be started: port 7000 is taken"));
    await until("the second try", () => life.status().reason === "the kubelet is starting");
  });

  test("gives the endpoint to a card that comes after Kubernetes was begun", async () => {
    const vip = "  network: {interfaces: [{interface: enp0s1, dhcp: true, vip: {ip: 192.0.2.5}}]}\n";
    const kubernetes = fakeKubernetes(true);
    start(controlPlaneText({ machine: vip }), { openKubernetes: kubernetes.open });
    await until("Kubernetes", () => kubernetes.given.deps !== undefined);
    expect(said.join()).not.toContain("The endpoint");
    // The driver is there at last, and udev has named the card.
    renameSync(at("sys/class/net/eth0"), at("sys/class/net/enp0s1"));
    await until("a try", () => said.join().includes("The endpoint 192.0.2.5 could not be set on enp0s1: errno 1."));
  });

  test("keeps the list of nodes, and never the order to begin etcd", async () => {
    const peer = {
      name: "cp-1",
      type: "controlplane",
      addresses: ["192.0.2.7"],
      labels: {},
      annotations: {},
      taints: [],
    };
    const kubernetes = fakeKubernetes();
    const life = start(controlPlaneText(), { openKubernetes: kubernetes.open });
    await until("Kubernetes", () => kubernetes.given.deps !== undefined);
    life.setOrders(undefined);
    life.setOrders({ bootstrapEtcd: true, peers: [peer] });
    expect(kubernetes.given.orders).toEqual([{ bootstrapEtcd: true, peers: [peer] }]);
    await lives.pop()!.stop();
    const next = fakeKubernetes();
    start(controlPlaneText(), { openKubernetes: next.open });
    await until("the kept list", () => next.given.orders.length === 1);
    expect(next.given.orders).toEqual([{ bootstrapEtcd: false, peers: [peer] }]);
  });

  test("ends its services only when it is told to", async () => {
    const kubernetes = fakeKubernetes();
    const life = start(workerText(), { openKubernetes: kubernetes.open });
    await until("Kubernetes", () => kubernetes.given.deps !== undefined);
    await until("its words", () => life.status().reason === "the kubelet is starting");
    await life.stop();
    expect(kubernetes.given.ended).toBe(false);
    await life.end();
    expect(kubernetes.given.ended).toBe(true);
  });
});

describe("STATE", () => {
  test("is blank, a node, or unusable with a remedy", () => {
    expect(store.read()).toEqual({ kind: "blank" });
    store.saveInstall(workerText(), INSTALL);
    expect(store.read()).toMatchObject({ kind: "node", install: INSTALL, config: { text: workerText() } });
    for (const name of readdirSync(at("state"))) expect(statSync(at(`state/${name}`)).mode & 0o777).toBe(0o600);
    writeFileSync(at("state/schema.json"), '{"schema":2}');
    expect(store.read()).toMatchObject({
      kind: "unusable",
      reason: expect.stringContaining("a newer Slipway OS (schema 2; this one knows 1)"),
    });
  });

  test("falls back to the config before a damaged one, and is unusable without any", () => {
    store.saveInstall(workerText(), INSTALL);
    store.saveInstall(workerText({ machine: "  nodeLabels: {a: b}\n" }), INSTALL);
    writeFileSync(at("state/config.yaml"), "version: v1al");
    expect(store.read()).toMatchObject({ kind: "node", config: { text: workerText() } });
    expect(said.join()).toContain("config.yaml is damaged; the one before it is used.");
    rmSync(at("state/config.yaml.previous"));
    expect(store.read()).toMatchObject({ kind: "unusable", remedy: expect.stringContaining("slipway install") });
  });

  test("of the next cluster keeps the machine's own files, and of a reset none", () => {
    store.saveInstall(workerText(), INSTALL);
    store.saveTime(Date.now());
    for (const name of ["identity.json", "key.pem", "kubernetes.json"]) writeFileSync(at(`state/${name}`), "x");
    store.clear(false);
    expect(readdirSync(at("state")).sort()).toEqual(["identity.json", "key.pem", "time.json"]);
    store.clear(true);
    expect(readdirSync(at("state"))).toEqual([]);
  });
});
