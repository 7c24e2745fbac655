// Auto mode as a table of stories: what was heard and when → what the interface may do, what it says, what it remembers.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ModeAction,
  type ModeSettings,
  type ModeState,
  permissionOf,
  type Remembered,
  startMode,
  stepMode,
} from "../../../server/dhcp/mode.ts";

const ROUTER = { server: "192.0.2.254", mac: "52:54:00:00:00:fe" };
const AUTO: ModeSettings = { dhcp: "auto", force: false };
const GATEWAY = "52:54:00:00:00:01";

type Story = {
  settings?: Partial<ModeSettings>;
  remembered?: Remembered;
  gatewayMac?: string;
  deaf?: string;
  /** Seconds at which the other server is heard. */
  foreignAt?: number[];
  untilSeconds: number;
};

/** Runs a story in steps of one second. */
function run(story: Story): { state: ModeState; actions: (ModeAction & { at: number })[] } {
  const settings = { ...AUTO, ...story.settings };
  const start = { kind: "start" as const, now: 0, settings };
  const facts = {
    ...(story.remembered && { remembered: story.remembered }),
    ...(story.gatewayMac && { gatewayMac: story.gatewayMac }),
    ...(story.deaf && { deaf: story.deaf }),
  };
  let [state, first] = startMode({ ...start, ...facts });
  const actions = first.map((action) => ({ ...action, at: 0 }));
  for (let second = 0; second <= story.untilSeconds; second++) {
    const now = second * 1000;
    const heard = (story.foreignAt ?? []).includes(second);
    const events = [
      ...(heard ? [{ kind: "foreign" as const, now, foreign: ROUTER }] : []),
      { kind: "tick" as const, now },
    ];
    for (const event of events) {
      const [next, said] = stepMode(state, event);
      state = next;
      actions.push(...said.map((action) => ({ ...action, at: second })));
    }
  }
  return { state, actions };
}

const every = (step: number, from: number, to: number) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);

const STORIES: (Story & {
  name: string;
  want: ModeState["kind"];
  remembers?: Remembered["mode"] | "nothing";
  alarms?: number;
})[] = [
  { name: "auto alone still looks after 9 s", untilSeconds: 9, want: "looking", remembers: "nothing" },
  { name: "auto alone leases after 10 s", untilSeconds: 10, want: "serving", remembers: "server" },
  { name: "auto beside a server is a proxy", foreignAt: [2], untilSeconds: 12, want: "proxy", remembers: "proxy" },
  {
    name: "auto hears the server in the last second",
    foreignAt: [9],
    untilSeconds: 12,
    want: "proxy",
    remembers: "proxy",
  },
  {
    name: "a remembered proxy stays one when nobody answers (router still dark)",
    remembered: { mode: "proxy", gatewayMac: GATEWAY },
    untilSeconds: 3600,
    want: "proxy",
    remembers: "nothing",
  },
  {
    name: "a remembered proxy stays one when its gateway answers",
    remembered: { mode: "proxy", gatewayMac: GATEWAY },
    gatewayMac: GATEWAY,
    untilSeconds: 60,
    want: "proxy",
    remembers: "nothing",
  },
  {
    name: "a remembered proxy of another network counts for nothing",
    remembered: { mode: "proxy", gatewayMac: GATEWAY },
    gatewayMac: "52:54:00:00:00:99",
    untilSeconds: 12,
    want: "serving",
    remembers: "server",
  },
  { name: "a remembered server still looks first", remembered: { mode: "server" }, untilSeconds: 9, want: "looking" },
  {
    name: "a remembered server yields to one it finds",
    remembered: { mode: "server" },
    foreignAt: [1],
    untilSeconds: 2,
    want: "proxy",
    remembers: "proxy",
  },
  {
    name: "a server that appears later stops new leases at once",
    foreignAt: [30],
    untilSeconds: 31,
    want: "held",
    alarms: 1,
    remembers: "server",
  },
  {
    name: "held ends after 10 silent minutes",
    foreignAt: [30],
    untilSeconds: 631,
    want: "serving",
    alarms: 1,
    remembers: "server",
  },
  {
    name: "held goes on while the other is heard",
    foreignAt: every(60, 30, 500),
    untilSeconds: 600,
    want: "held",
    alarms: 1,
  },
  {
    name: "auto yields for good to a server that stays 10 minutes",
    foreignAt: every(30, 30, 660),
    untilSeconds: 661,
    want: "proxy",
    remembers: "proxy",
    alarms: 1,
  },
  { name: "server looks first, too", settings: { dhcp: "server" }, untilSeconds: 9, want: "looking" },
  {
    name: "server beside another is held, never a proxy",
    settings: { dhcp: "server" },
    foreignAt: every(30, 1, 3600),
    untilSeconds: 3600,
    want: "held",
    alarms: 1,
    remembers: "nothing",
  },
  {
    name: "server overrides a remembered proxy: a person said so",
    settings: { dhcp: "server" },
    remembered: { mode: "proxy" },
    untilSeconds: 10,
    want: "serving",
    remembers: "server",
  },
  {
    name: "force opens at once, overriding the memory",
    settings: { force: true },
    remembered: { mode: "proxy" },
    untilSeconds: 0,
    want: "serving",
    remembers: "server",
  },
  {
    name: "force goes on beside another and says so hourly",
    settings: { dhcp: "server", force: true },
    foreignAt: every(10, 0, 7200),
    untilSeconds: 7200,
    want: "serving",
    alarms: 3,
  },
  {
    name: "auto that cannot listen is a proxy, and does not remember it",
    deaf: "port 68 is held by somebody",
    untilSeconds: 60,
    want: "proxy",
    remembers: "nothing",
  },
  {
    name: "server that cannot listen leases: a person said so",
    deaf: "x",
    settings: { dhcp: "server" },
    untilSeconds: 0,
    want: "serving",
  },
  {
    name: "proxy by settings asks nobody's memory",
    settings: { dhcp: "proxy" },
    untilSeconds: 100,
    want: "proxy",
    remembers: "nothing",
  },
];
for (const { name, want, remembers, alarms, ...story } of STORIES) {
  test(`stepMode: ${name}`, () => {
    const { state, actions } = run(story);
    expect(state.kind).toBe(want);
    if (remembers !== undefined) {
      const written = actions.flatMap((a) => (a.kind === "remember" ? [a.remembered.mode] : []));
      expect(written.at(-1) ?? "nothing").toBe(remembers);
    }
    if (alarms !== undefined) expect(actions.filter((a) => a.kind === "alarm")).toHaveLength(alarms);
  });
}

test("looking sends four DISCOVERs in ten seconds, serving one each 30 s", () => {
  const probes = run({ untilSeconds: 70 }).actions.filter((a) => a.kind === "probe");
  expect(probes.map((a) => a.at)).toEqual([0, 1, 3, 6, 40, 70]);
});

test("what is remembered names the gateway", () => {
  const { actions } = run({ untilSeconds: 10, gatewayMac: GATEWAY });
  expect(actions).toContainEqual({ kind: "remember", remembered: { mode: "server", gatewayMac: GATEWAY }, at: 10 });
});

test("a server that stays is remembered with the gateway too", () => {
  const { actions } = run({ foreignAt: every(30, 30, 660), untilSeconds: 661, gatewayMac: GATEWAY });
  expect(actions).toContainEqual({ kind: "remember", remembered: { mode: "proxy", gatewayMac: GATEWAY }, at: 630 });
});

test("a proxy says once per silence that nobody leases addresses", () => {
  const said = (foreignAt: number[]) =>
    run({ settings: { dhcp: "proxy" }, foreignAt, untilSeconds: 1000 }).actions.filter((a) => a.kind === "unserved");
  expect(said([])).toHaveLength(1);
  expect(said([500])).toHaveLength(2);
  expect(said(every(60, 0, 1000))).toHaveLength(0);
});

test("every announcement and alarm has words", () => {
  for (const story of STORIES) {
    for (const action of run(story).actions) {
      if (action.kind === "announce") expect(action.reason).not.toBe("");
      if (action.kind === "alarm") expect(action.consequence).toMatch(/leas/);
    }
  }
});

test("permissionOf: only serving opens; a proxy never renews; looking gives no boot data", () => {
  const kinds = {
    looking: {},
    serving: {},
    held: { foreignAt: [30] },
    proxy: { settings: { dhcp: "proxy" as const } },
  };
  const until = { looking: 1, serving: 20, held: 40, proxy: 1 };
  const table = Object.entries(kinds).map(([kind, story]) => {
    const { state } = run({ ...story, untilSeconds: until[kind as keyof typeof until] });
    const { mode, opens, renews, offersBoot } = permissionOf(state);
    return [state.kind, mode, opens, renews, offersBoot];
  });
  expect(table).toEqual([
    ["looking", "server", false, true, false],
    ["serving", "server", true, true, true],
    ["held", "server", false, true, true],
    ["proxy", "proxy", false, false, true],
  ]);
});

test("stepMode never opens leases within 10 s of hearing another server without force (seeded)", () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed}`);
  const times = fc.uniqueArray(fc.integer({ min: 0, max: 2000 }), { maxLength: 30 });
  const settings = fc.constantFrom<ModeSettings["dhcp"]>("auto", "server");
  fc.assert(
    fc.property(times, settings, fc.integer({ min: 0, max: 2000 }), (foreignAt, dhcp, untilSeconds) => {
      const { state } = run({ settings: { dhcp }, foreignAt, untilSeconds });
      const heard = foreignAt.some((at) => at <= untilSeconds && at > untilSeconds - 10);
      expect(permissionOf(state).opens && heard).toBe(false);
    }),
    { seed, numRuns: 300 },
  );
});

test("two that held back because of each other do not both hold back for ever: one goes on, the other yields to it", () => {
  const boxes = [60_000, 200_000].map((patienceMs, i) => {
    const settings = { ...AUTO, patienceMs };
    return { server: `192.0.2.${i + 1}`, state: startMode({ kind: "start", now: 0, settings })[0] };
  });
  const kinds = () => boxes.map((box) => box.state.kind);
  const seen = new Set<string>();
  for (let now = 0; now <= 1_000_000; now += 1000) {
    for (const box of boxes) [box.state] = stepMode(box.state, { kind: "tick", now });
    // A machine asks every ten seconds; who leases answers it, and the other overhears that.
    if (now % 10_000 !== 0) continue;
    const answering = boxes.filter((box) => permissionOf(box.state).opens);
    for (const { server } of answering)
      for (const box of boxes)
        if (box.server !== server) [box.state] = stepMode(box.state, { kind: "foreign", now, foreign: { server } });
    seen.add(kinds().join());
  }
  expect([...seen]).toContain("held,held");
  expect(kinds()).toEqual(["serving", "proxy"]);
});
