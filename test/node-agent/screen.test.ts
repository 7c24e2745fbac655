// The machine's screen: what is on it for each standing, and that it fits 80 × 25 of plain ASCII whatever comes.
import { describe, expect, test } from "vitest";
import { renderScreen, SCREEN_COLUMNS, SCREEN_ROWS } from "../../node-agent/screen.ts";
import { type Known, type Standing, statusOf } from "../../node-agent/status.ts";
import type { Running } from "../../node-agent/work.ts";
import type { NodeStatus } from "../../server/contract/generated/agent.ts";
import { factsOf, NO_STATUS } from "./machine.ts";

const MAC = "52:54:00:12:34:56";
const STATE = { name: "", lifecycle: "discovered", role: "", waits: "", next: "", reportInstallDisk: false };
const known = (standing: Standing): Known => ({
  ...{ facts: factsOf(MAC), standing, mac: MAC, server: "192.0.2.1:8443", pairingCode: "7KQ2-M9XD" },
  ...{ work: { kind: "none" }, running: undefined },
});
const screen = (standing: Standing) => renderScreen(statusOf(known(standing))).join("\n");

test("renderScreen shows name, address, state, pairing code and what to do next", () => {
  const waits = "nobody approved it yet";
  const state = { ...STATE, name: "node-7", waits, next: `slipway approve ${MAC}` };
  expect(`\n${screen({ kind: "in-touch", state })}\n`).toBe(`

  Slipway OS test                                                  amd64, uefi
  ----------------------------------------------------------------------------

  Machine       node-7 (52:54:00:12:34:56)
                QEMU Standard PC
  Address       192.0.2.7 on eth0
  Appliance     192.0.2.1:8443

  State         waits: nobody approved it yet
  Pairing code  7KQ2-M9XD (\`slipway machines\` must show the same)

  What to do next
    On the appliance: slipway approve 52:54:00:12:34:56
`);
});

const approved = { ...STATE, lifecycle: "approved", role: "worker", reportInstallDisk: true };
const ROWS: { standing: Standing; says: string }[] = [
  { standing: { kind: "starting" }, says: "State         starting" },
  { standing: { kind: "no-ticket", reason: "the file is damaged" }, says: "has no ticket: the file is damaged" },
  { standing: { kind: "enrolling" }, says: "enrolling" },
  { standing: { kind: "refused", reason: "too late" }, says: "Power the machine off and on again" },
  { standing: { kind: "unreachable", reason: "no route" }, says: "cannot reach the appliance: no route" },
  {
    standing: { kind: "in-touch", state: { ...STATE, lifecycle: "ready" } },
    says: "is installed; booted from the network, it is at rest",
  },
  { standing: { kind: "in-touch", state: { ...STATE, waits: "it rains" } }, says: "waits: it rains" },
  {
    standing: { kind: "in-touch", state: approved, disk: { kind: "disk", path: "/dev/sda", reason: "SSD" } },
    says: "approved as worker; would install to /dev/sda: SSD",
  },
  {
    standing: { kind: "in-touch", state: approved, disk: { kind: "impossible", reason: "no disk was seen" } },
    says: "cannot install: no disk was seen",
  },
];
const STEP = { order: "o", number: 3, of: 9, text: "fetches the image", done: false, elapsedMs: 10_000 };
const NODE_STATUS = { ...NO_STATUS, installId: "i" };
const node = (status: Partial<NodeStatus>): Running => ({
  role: "worker",
  endpoint: "https://192.0.2.5:6443",
  status: { ...NODE_STATUS, ...status },
});
const IN_HAND: { name: string; over: Partial<Known>; says: string[]; hides?: string[] }[] = [
  {
    name: "a step with bytes",
    over: {
      work: { kind: "step", what: "install", step: { ...STEP, bytesDone: 50_000_000n, bytesTotal: 200_000_000n } },
    },
    says: ["installs: step 3 of 9, fetches the image: 50 of 200 MB, 30 s", "Leave the power on"],
  },
  {
    name: "a step without bytes",
    over: { work: { kind: "step", what: "reset", step: { ...STEP, bytesDone: 0n, bytesTotal: 0n } } },
    says: ["resets: step 3 of 9, fetches the image\n"],
  },
  {
    name: "before the first step",
    over: { work: { kind: "step", what: "install", step: undefined } },
    says: ["installs: asks for its machine config"],
  },
  {
    name: "a failure with its remedy",
    over: {
      work: { kind: "failed", what: "install", reason: "only foreign disks", remedy: "slipway install MAC --wipe" },
    },
    says: ["cannot install: only foreign disks", "slipway install MAC --wipe"],
  },
  {
    name: "done",
    over: { work: { kind: "installed", disk: "/dev/vda" } },
    says: ["installed to /dev/vda; restarts when"],
  },
  {
    name: "done, and an appliance that cannot write",
    over: {
      work: { kind: "installed", disk: "/dev/vda" },
      standing: { kind: "unreachable", reason: "inventory.db cannot be written: the file system is full" },
    },
    says: ["which it cannot: inventory.db cannot be", "What the appliance lacks: slipway status"],
  },
  { name: "a verb", over: { work: { kind: "verb", verb: "reboot" } }, says: ["was asked for reboot"] },
  {
    name: "a node that is Ready",
    over: { running: node({ ready: true }) },
    says: ["Cluster       worker, endpoint https://192.0.2.5:6443", "State         Ready"],
    hides: ["Pairing code"],
  },
  {
    name: "a node that is not, without its appliance",
    over: { running: node({ reason: "etcd is starting" }), standing: { kind: "unreachable", reason: "no route" } },
    says: ["not ready: etcd is starting (the appliance is away)"],
  },
];

describe("statusOf", () => {
  for (const { standing, says } of ROWS) test(`says: ${says}`, () => expect(screen(standing)).toContain(says));

  for (const { name, over, says, hides } of IN_HAND) {
    test(`says what is in hand before where it stands: ${name}`, () => {
      const text = renderScreen(statusOf({ ...known({ kind: "in-touch", state: approved }), ...over })).join("\n");
      for (const words of says) expect(text).toContain(words);
      for (const words of hides ?? []) expect(text).not.toContain(words);
    });
  }

  test("shows a card's MAC when no ticket names one, and that no address came", () => {
    const facts = factsOf(MAC);
    const bare = { ...facts, nics: [{ ...facts.nics[0]!, addresses: ["fe80::1/64"] }] };
    const status = statusOf({ ...known({ kind: "starting" }), facts: { ...bare, nics: [] }, mac: "" });
    expect(status.mac).toBe("no network card");
    expect(renderScreen(status).join("\n")).toContain("none yet: waiting for DHCP");
    expect(statusOf({ ...known({ kind: "starting" }), facts: bare, mac: "" }).addresses).toEqual(["fe80::1 on eth0"]);
  });
});

test("renderScreen fits the screen and shows nothing that a terminal obeys, whatever the appliance sends", () => {
  const nasty = `\u001b[2J${"x".repeat(300)} ${"word ".repeat(200)}\u202e\n\r`;
  const state = { ...STATE, name: nasty, waits: nasty, next: nasty };
  const lines = renderScreen({
    ...statusOf(known({ kind: "in-touch", state })),
    product: nasty,
    osVersion: nasty,
    appliance: nasty,
  });
  expect(lines.length).toBeLessThan(SCREEN_ROWS);
  for (const line of lines) {
    expect(line.length).toBeLessThan(SCREEN_COLUMNS);
    expect(line).toMatch(/^[\x20-\x7e]*$/);
  }
});
