// The pure rules behind a stream: what a machine is told, what its facts change, when its lines were printed, who is in touch.
import { describe, expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { TokenBucket } from "../../../server/contract/token-bucket.ts";
import { cleanDeep } from "../../../server/grpc/clean-status.ts";
import { LINE_RATE, takeLines } from "../../../server/grpc/kernel-lines.ts";
import { changeOf, cleanText, formatTime, macsOf, meaningfulText } from "../../../server/grpc/node-facts.ts";
import { type NodeView, needsInstall, nodeStateOf, waitReason } from "../../../server/grpc/node-state.ts";
import { Sessions } from "../../../server/grpc/session.ts";
import { faultOf } from "../../../server/grpc/status.ts";
import { TwinWatch } from "../../../server/grpc/twin-watch.ts";
import { factsOf } from "../../node-agent/machine.ts";

const MAC = "52:54:00:12:34:56";
const MACHINE: Machine = {
  ...{ id: "m1", macs: [MAC], lifecycle: "discovered", activity: "running" },
  ...{ createdAt: "2026-11-24T12:00:00Z", seenAt: "2026-11-24T12:00:00Z" },
};

const NOW = Date.parse("2026-11-24T13:00:00Z");
const HOUR_MS = 3_600_000;
const VIEW: NodeView = {
  ...{ live: { bootSource: "network", installId: "" }, wait: undefined, orders: undefined },
  ...{ imageUrl: "http://192.0.2.1:8080/image/1/", armedMs: 24 * HOUR_MS, now: NOW },
};
const INSTALL = { order: "order-1", mayWipe: false, orderedAt: NOW, firstContactAt: NOW };
const INSTALLATION = { installId: "install-1", number: 1, disk: "/dev/vda", at: NOW };

describe("nodeStateOf", () => {
  const NO_CLUSTER = { waits: "there is no cluster yet", next: "slipway cluster create NAME" };
  const APPROVED = { lifecycle: "approved", role: "worker" } as const;
  const rows: [string, Partial<Machine>, string, string, boolean, Partial<NodeView>?][] = [
    ["an unknown machine waits", {}, "nobody approved it yet", `slipway approve ${MAC}`, false],
    [
      ...(["an approved one waits for a role", { lifecycle: "approved" }, "it has no role yet"] as const),
      ...([`slipway set ${MAC} --role controlplane|worker`, false] as const),
    ],
    ["an approved one with a role goes on", APPROVED, "", "", true],
    [
      ...(["without a cluster it waits for one", APPROVED, NO_CLUSTER.waits, NO_CLUSTER.next, true] as const),
      { wait: NO_CLUSTER },
    ],
    [
      ...(["without an image it waits for one", { ...APPROVED, arch: "arm64" }] as const),
      ...(["there is no OS image for arm64 on the appliance", "npm run assets", true] as const),
      { imageUrl: undefined },
    ],
    [
      ...(["a container needs no image", APPROVED, "", "", true] as const),
      { imageUrl: undefined, live: { bootSource: "container", installId: "" } },
    ],
    [
      ...([
        "an install that was not begun in its time is over",
        { ...APPROVED, install: INSTALL, name: "w1" },
      ] as const),
      ...(["the time in which it may install is over", "slipway install w1", true] as const),
      { now: NOW + 24 * HOUR_MS },
    ],
    [
      "one that is to be installed anew, and runs from its disk, waits for the network",
      { ...APPROVED, install: INSTALL, installation: INSTALLATION },
      "it is to be installed anew, and runs from its disk",
      "boot it from the network",
      true,
      { live: { bootSource: "disk", installId: "install-1" } },
    ],
    [
      ...(["one whose new install is on its disk goes on", APPROVED, "", "", true] as const),
      { live: { bootSource: "disk", installId: "install-2" } },
    ],
    [
      "an installed one from the network is sent back to its disk",
      { lifecycle: "ready", boot: "os", name: "w1", installation: INSTALLATION },
      "it is installed, and was booted from the network",
      "slipway set w1 --unset boot, then slipway reboot w1",
      false,
    ],
    [
      ...([
        "one that has just been installed restarts",
        { lifecycle: "installed", installation: INSTALLATION },
      ] as const),
      ...(["", "", false] as const),
      { live: { bootSource: "network", installId: "install-1" } },
    ],
    [
      ...(["an installed one needs no disk", { lifecycle: "installed", role: "worker" }, "", "", false] as const),
      { live: { bootSource: "disk", installId: "install-1" } },
    ],
    [
      ...(["a ready one needs nothing", { lifecycle: "ready" }, "", "", false] as const),
      { live: { bootSource: "disk", installId: "install-1" } },
    ],
  ];
  for (const [name, over, waits, next, reportInstallDisk, view] of rows) {
    test(name, () =>
      expect(nodeStateOf({ ...MACHINE, ...over }, { ...VIEW, ...view })).toMatchObject({
        waits,
        next,
        reportInstallDisk,
      }),
    );
  }
  const ordered = { ...MACHINE, ...APPROVED, install: INSTALL };
  const ORDERS: [string, Machine, Partial<NodeView>, object | undefined][] = [
    ["a netbooted machine, with the image", ordered, {}, { order: "order-1", imageUrl: VIEW.imageUrl, mayWipe: false }],
    [
      ...(["a container, without one", ordered, { live: { bootSource: "container", installId: "" } }] as const),
      { order: "order-1", imageUrl: "", mayWipe: false },
    ],
    ["nobody who has not said hello", ordered, { live: { bootSource: "", installId: "" } }, undefined],
    ["nobody who waits for something", ordered, { wait: NO_CLUSTER }, undefined],
    ["nobody whose approval was taken back", { ...ordered, lifecycle: "discovered" }, {}, undefined],
  ];
  for (const [name, machine, view, want] of ORDERS) {
    test(`names the install to ${name}`, () =>
      expect(nodeStateOf(machine, { ...VIEW, ...view }).install).toEqual(want));
  }
  test("names a verb until it is taken", () => {
    const verb = { id: "v1", verb: "reset", at: NOW } as const;
    expect(nodeStateOf({ ...MACHINE, verb }, VIEW).verb).toEqual({ id: "v1", verb: "reset" });
    expect(nodeStateOf(MACHINE, VIEW)).not.toHaveProperty("verb");
  });
  const NEEDS: [string, boolean, Machine, Partial<NodeView>?][] = [
    ["an approved machine that lacks nothing", true, { ...MACHINE, ...APPROVED }],
    ["one that has an order", false, ordered],
    ["one without a role", false, { ...MACHINE, lifecycle: "approved" }],
    ["one without a cluster", false, { ...MACHINE, ...APPROVED }, { wait: NO_CLUSTER }],
    ["one that was not heard", false, { ...MACHINE, ...APPROVED }, { live: { bootSource: "", installId: "" } }],
    ["an installed one", false, { ...MACHINE, ...APPROVED, lifecycle: "installed" }],
  ];
  for (const [name, want, machine, view] of NEEDS) {
    test(`needsInstall of ${name} is ${want}`, () => expect(needsInstall(machine, { ...VIEW, ...view })).toBe(want));
  }
  test("waitReason is one sentence", () =>
    expect(waitReason(nodeStateOf(MACHINE, VIEW))).toBe(`nobody approved it yet: slipway approve ${MAC}`));
});

describe("changeOf", () => {
  test("leaves out what board makers never filled in", () => {
    const junk = {
      vendor: "To Be Filled By O.E.M.",
      product: "System Product Name",
      serial: "Default string",
      uuid: "",
    };
    expect(changeOf("m1", factsOf(MAC, junk))).not.toHaveProperty("product");
    expect(changeOf("m1", factsOf(MAC, junk))).not.toHaveProperty("serial");
  });
  test("gives facts that JSON can hold, cut and cleaned", () => {
    const nics = Array.from({ length: 500 }, () => factsOf(MAC).nics[0]!);
    const change = changeOf("m1", factsOf(MAC, { nics, cpuModel: `a\u001b[2J${"x".repeat(500)}` }));
    const facts = JSON.parse(JSON.stringify(change.facts));
    expect(facts.nics).toHaveLength(128);
    expect(facts.cpuModel).toHaveLength(200);
    expect(facts.disks[0].sizeBytes).toBe(32_000_000_000);
    expect(change).toMatchObject({ arch: "amd64", firmware: "uefi", product: "QEMU Standard PC" });
  });
  test("meaningfulText keeps real values", () =>
    expect(["VMware-56 4d", "0000", "None", " x ", "...."].map(meaningfulText)).toEqual([
      ...["VMware-56 4d", undefined, undefined, undefined, undefined],
    ]));
  test("macsOf takes each unicast MAC once, in the inside form", () => {
    const card = (mac: string) => ({ ...factsOf(MAC).nics[0]!, mac });
    const macs = ["52-54-00-12-34-56", MAC, "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "nonsense"];
    expect(macsOf(factsOf(MAC, { nics: macs.map(card) }))).toEqual([MAC]);
    expect(macsOf(undefined)).toEqual([]);
  });
  test("cleanText hides direction marks that turn a line round", () => expect(cleanText("a\u202eb")).toBe("a b"));
  test("formatTime keeps what no calendar has", () =>
    expect([0n, 9n ** 20n].map(formatTime)).toEqual(["1970-01-01T00:00:00.000Z", String(9n ** 20n)]));
});

describe("takeLines", () => {
  const line = (seq: bigint, uptimeUs: bigint, text = "x") => ({
    seq,
    level: 6,
    uptimeUs,
    text,
    fromAgent: seq === 0n,
  });
  const now = 1_800_000_000_000;

  test("turns the kernel's time into the appliance's", () => {
    const batch = {
      uptimeMs: 10_000n,
      lost: 3n,
      lines: [line(7n, 4_000_000n), line(0n, 9_000_000n), line(8n, 99_000_000n)],
    };
    const taken = takeLines(batch, MAC, new TokenBucket(LINE_RATE, now), now);
    expect(taken.lines.map(({ at, source }) => [at - now, source])).toEqual([
      [-6000, "kernel"],
      [-1000, "agent"],
      [0, "kernel"],
    ]);
    expect(taken).toMatchObject({ dropped: 3, lastSeq: 8n });
  });
  test("drops what is over the rate, and still acknowledges it", () => {
    const lines = Array.from({ length: LINE_RATE.burst + 10 }, (_, i) => line(BigInt(i + 1), 0n));
    const taken = takeLines({ uptimeMs: 0n, lost: 0n, lines }, MAC, new TokenBucket(LINE_RATE, now), now);
    expect(taken.lines).toHaveLength(LINE_RATE.burst);
    expect(taken).toMatchObject({ dropped: 10, lastSeq: BigInt(LINE_RATE.burst + 10) });
  });
  test("survives numbers that no kernel counts to, and hides control characters", () => {
    const huge = 2n ** 64n - 1n;
    const taken = takeLines(
      { uptimeMs: huge, lost: huge, lines: [line(huge, 0n, "a\u001bb")] },
      MAC,
      new TokenBucket(LINE_RATE, now),
      now,
    );
    expect(taken.lines[0]).toMatchObject({ at: 0, text: "a?b" });
    expect(taken.dropped).toBe(1e9);
  });
});

test("Sessions keeps one stream per machine, the newest", () => {
  const sessions = new Sessions();
  const ends: string[] = [];
  const open = (name: string, machineId: string, keyFingerprint: string) => {
    const session = {
      machineId,
      keyFingerprint,
      live: { bootSource: "", installId: "" },
      remoteIp: "192.0.2.5",
      refresh: () => {},
      end: (reason: string) => void ends.push(`${name}: ${reason}`),
    };
    sessions.add(session, NOW);
    return session;
  };
  const old = open("old", "m1", "k1");
  const next = open("next", "m1", "k2");
  expect(ends).toEqual(["old: the machine opened another stream"]);
  expect([sessions.remove(old), sessions.size, sessions.remove(next), sessions.size]).toEqual([false, 1, true, 0]);
  open("a", "m2", "k3");
  sessions.endKey("k3", "revoked");
  sessions.endKey("k4", "revoked");
  sessions.endMachine("m2", "retired");
  sessions.endAll("stop");
  expect(ends.slice(1)).toEqual(["a: revoked", "a: retired", "a: stop"]);
});

test("two that use one key come in turn from two addresses, and are told once; a machine with a new address is not", () => {
  const watch = new TwinWatch();
  const told = (ips: readonly string[], stepMs: number, from = NOW) =>
    ips.map((ip, i) => watch.note("m1", ip, from + i * stepMs)).filter((twins) => twins !== undefined);
  expect(told(["a", "a", "b", "b", "b"], 1000)).toEqual([]);
  expect(told(["a", "b", "a", "b"], 1000, NOW + 5000)).toEqual([{ first: "a", second: "b" }]);
  watch.forget("m1");
  expect(told(["a", "b", "a", "b", "a", "b"], 400_000)).toEqual([]);
});

test("cleanDeep leaves nothing that steers a terminal, wherever it stands", () => {
  const said = {
    pendingPods: [{ name: "a\u001b[2Jb", n: 1n }],
    etcd: { data: { $case: "none", value: {} } },
    ok: true,
  };
  expect(cleanDeep(said)).toEqual({ ...said, pendingPods: [{ name: "a [2Jb", n: 1n }] });
  expect(cleanDeep(["x".repeat(2000)])[0]).toHaveLength(1000);
});

test("faultOf tells a SlipwayError by its row and nothing of other faults", () => {
  expect(faultOf(new SlipwayError("TICKET_REFUSED", "too late"))).toEqual({ code: 7, details: "too late" });
  expect(faultOf(new Error("/etc/secret: denied"))).toEqual({
    code: 13,
    details: "a fault inside the appliance; its log says more",
  });
});
