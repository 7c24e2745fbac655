// docs/create-first-cluster.md, done from top to bottom on a rack with two container nodes: each command is run as it stands
// there, on the appliance, and has to print what the page shows (test/lab/docs-page.ts).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SlipwayError } from "../../../server/contract/errors.ts";
import type { MachineView } from "../../../server/rest/schema.ts";
import type { Container } from "../../lab/container.ts";
import { type PageStep, readPage } from "../../lab/docs-page.ts";
import { RACK_INTERFACE } from "../../lab/rack.ts";
import { openTestRack, type TestRack } from "../test-rack.ts";
import { openPageDesk, type PageDesk } from "./page-desk.ts";

const PAGE = "docs/create-first-cluster.md";
const SECTION_WITHIN_MS = 10 * 60_000;
const BY_HAND_WITHIN_MS = 60_000;

/** Commands that the page has for other places, and how this test gets what they make. */
const ELSEWHERE = {
  "npm start -- --config slipway.yaml":
    "the same as `./slipway serve` when everything is built, which `npm test` did before",
  "docker pull busybox:1.37": "needs the internet",
  "docker save busybox:1.37 -o web.tar": "test/lab/workload-image.ts makes that file",
};

let rack: TestRack;
let desk: PageDesk;
const machines = new Map<string, Container>();

beforeAll(async () => {
  rack = await openTestRack({ dhcp: "server" });
  desk = openPageDesk(rack);
  // The page's card has the name that a second one often has.
  const link = (...words: string[]) => rack.lab.exec(rack.home, ["ip", "link", "set", ...words]);
  await link(RACK_INTERFACE, "down");
  await link(RACK_INTERFACE, "name", "eth1");
  await link("eth1", "up");
});
afterAll(async () => {
  await desk?.close();
  await rack?.close();
});

async function untilMachine(mac: string, what: string, isSo: (machine: MachineView) => boolean): Promise<void> {
  for (const until = Date.now() + BY_HAND_WITHIN_MS; Date.now() < until; await sleep(100)) {
    const machine = await rack.admin.get<MachineView>(`/v1/machines/${mac}`).catch(() => undefined);
    if (machine !== undefined && isSo(machine)) return;
  }
  const words = machines.get(mac)?.lastWords() ?? "";
  throw new SlipwayError("COMMAND_FAILED", `${mac} was not ${what} within ${BY_HAND_WITHIN_MS / 1000} s:\n${words}`);
}

/** A person's hands and patience. */
const BY_HAND: Readonly<Record<string, (mac: string) => Promise<void>>> = {
  "power on": async (mac) => {
    const machine = machines.get(mac) ?? rack.makeContainer({ mac });
    machines.set(mac, machine);
    await machine.powerOn();
    await untilMachine(mac, "waiting for approval", ({ activity }) => activity === "waiting");
  },
  "out of touch": (mac) => untilMachine(mac, "out of touch", ({ live }) => live === undefined),
};

const DO: { [K in PageStep["kind"]]: (step: PageStep & { kind: K }) => Promise<void> | void } = {
  run: (step) => desk.run(step),
  write: ({ name, text }) => desk.write(name, text),
  "by-hand": ({ words, line }) => {
    const [, what = "", mac = ""] = /^(.+) (\S+)$/.exec(words) ?? [];
    const act = BY_HAND[what];
    if (act === undefined) throw new SlipwayError("BAD_REQUEST", `line ${line}: nobody can "${what}" here`);
    return act(mac);
  },
  elsewhere: ({ command }) => expect(Object.keys(ELSEWHERE)).toContain(command),
};

describe(PAGE, () => {
  const sections = readPage(readFileSync(join(import.meta.dirname, "../../..", PAGE), "utf8"));
  let unfinished: string | undefined;
  for (const { title, steps } of sections) {
    test(title, { timeout: SECTION_WITHIN_MS }, async () => {
      if (unfinished !== undefined)
        throw new SlipwayError("COMMAND_FAILED", `not tried, because "${unfinished}" failed`);
      unfinished = title;
      for (const step of steps) await DO[step.kind](step as never);
      unfinished = undefined;
    });
  }
});
