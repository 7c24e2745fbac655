// Seconds from power-on to enrolled, per firmware, split as the timeline splits them: one JSON line per run, then the medians.
// `npm run test:boot-times -- [--runs 3] [--firmware bios,uefi,uefi-http,arm64]`, as root, on a quiet machine. A measurement, not a
// test: nothing here asserts time.
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { openTestRack } from "../e2e/test-rack.ts";
import { splitBoot } from "../lab/boot-split.ts";
import { FIRMWARES, type Firmware } from "../lab/qemu-arguments.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    firmware: { type: "string", default: Object.keys(FIRMWARES).join(",") },
  },
});
const firmwares = values.firmware.split(",") as Firmware[];
const runs = Number(values.runs);
const unknown = firmwares.filter((name) => !(name in FIRMWARES));
if (unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
  console.error(
    `--firmware: of ${Object.keys(FIRMWARES).join(", ")}; --runs: a number from 1; found ${unknown} ${values.runs}`,
  );
  process.exit(2);
}

type Row = Record<string, number>;
const seconds = (ms: number | undefined) => Math.round((ms ?? 0) / 10) / 100;
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

const rack = await openTestRack({ dhcp: "server" });
try {
  await rack.startAppliance();
  for (const firmware of firmwares) {
    const rows: Row[] = [];
    for (let run = 1; run <= runs; run++) {
      // A new MAC each time: a machine that is seen for the first time.
      const vm = await rack.powerOn({ firmware });
      await rack.waitForEvent(vm, "enrolled", 600_000);
      const split = splitBoot(vm.poweredOnAt, await rack.eventsOf(vm));
      await vm.powerOff();
      const parts = Object.entries(split.parts).map(([part, ms]) => [part, seconds(ms)]);
      const row: Row = { ...Object.fromEntries(parts), total: seconds(split.totalMs) };
      rows.push(row);
      // Others' load on this machine explains a slow run.
      console.log(JSON.stringify({ machine: firmware, run, load: Number(loadavg()[0]!.toFixed(1)), ...row }));
    }
    const medians = Object.keys(rows[0]!).map((part) => [part, median(rows.map((row) => row[part]!))]);
    console.log(JSON.stringify({ machine: firmware, median: true, ...Object.fromEntries(medians) }));
  }
} finally {
  await rack.close();
}
