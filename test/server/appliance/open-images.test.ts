// A damaged list of container images: the appliance opens all the same, says what to do, and goes on saying it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeEvent, type NewEvent } from "../../../inventory/event.ts";
import { openImages } from "../../../server/appliance/open-images.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "slipway-images-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

function open() {
  const said: string[] = [];
  const events: Omit<NewEvent, "at">[] = [];
  const say = (level: string) => (text: string) => void said.push(`${level} ${text}`);
  const log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  const images = openImages({ dataDir, log, record: (event) => void events.push(event), now: () => 7 });
  return { images, said, events };
}

test("openImages says nothing of a store that is whole", () => {
  expect(open()).toMatchObject({ said: [], events: [] });
});

test("openImages opens with a damaged list, tells it with the remedy, and reminds until the file is gone", () => {
  mkdirSync(join(dataDir, "images"));
  writeFileSync(join(dataDir, "images", "index.json"), "{");
  const aside = join(dataDir, "images", "index.json.damaged-7");
  const first = open();
  expect(first.images.list()).toEqual([]);
  expect(first.said).toEqual([
    expect.stringMatching(/^error .*index\.json was damaged \(it is no JSON\).*images import/),
  ]);
  expect(first.events).toEqual([{ kind: "images-damaged", detail: { file: aside, reason: "it is no JSON", kept: 0 } }]);
  const [event] = first.events;
  expect(describeEvent(event!)).toContain(`is ${aside} now; 0 of its images are still served`);
  const second = open();
  expect(second.said).toEqual([expect.stringMatching(/^warn .*damaged-7 is a damaged list of container images/)]);
  expect(second.events).toEqual([]);
  rmSync(aside);
  expect(open().said).toEqual([]);
});
