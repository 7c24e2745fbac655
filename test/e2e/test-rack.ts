// A rack for a test: the lab's own, with a dataDir and an identity that last as long as the test, and ways to wait for what
// a machine does. The OS images are those that the set-up built, signed here by the test's own owner key.
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EventKind } from "../../inventory/event.ts";
import { openAdminClient } from "../../server/cli/admin-client.ts";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { EventView, MachineView } from "../../server/rest/schema.ts";
import { openSecrets } from "../../server/secrets/store.ts";
import { buildRack, type Rack, type RackSettings } from "../lab/rack.ts";
import { openScratchFolder } from "../lab/scratch-folder.ts";
import type { Vm } from "../lab/vm.ts";

const BUILT_ASSETS = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "data", "assets");
const QUIET = { info: () => {}, warn: () => {} };

export type TestRack = Rack & {
  /** A file of its own below the rack's scratch directory. */
  scratchFile(name: string): string;
  /** All events of a machine since it was powered on, oldest first. */
  eventsOf(vm: Vm): Promise<EventView[]>;
  /** The machine as the inventory has it. */
  machineOf(vm: Vm): Promise<MachineView>;
  /** Waits for an event; throws with the machine's timeline and console when it does not come in time. */
  waitForEvent(vm: Vm, kind: EventKind, timeoutMs: number): Promise<EventView>;
  /** The machine's timeline as text, for people. */
  timelineOf(vm: Vm): Promise<string>;
};

/** Makes dataDir/assets from what the set-up built: the same bytes, other signature. */
async function lendAssets(dataDir: string, identityPath: string): Promise<void> {
  const images = join(BUILT_ASSETS, "images");
  if (!existsSync(images)) {
    throw new SlipwayError("ASSET_MISSING", `${images} is not there: the end-to-end tests boot the built OS`);
  }
  const secrets = await openSecrets({ dataDir, identityPath, log: QUIET });
  mkdirSync(join(dataDir, "assets", "images"), { recursive: true });
  symlinkSync(join(BUILT_ASSETS, "ipxe"), join(dataDir, "assets", "ipxe"));
  for (const name of readdirSync(images)) {
    const [from, to] = [join(images, name), join(dataDir, "assets", "images", name)];
    mkdirSync(to);
    for (const file of readdirSync(from)) if (file !== "manifest.sig") lendFile(join(from, file), join(to, file));
    writeFileSync(join(to, "manifest.sig"), secrets.signManifest(readFileSync(join(from, "manifest.json"))));
  }
}

/** The same file under another name, so that a build which replaces the image does not change it under a running test. */
function lendFile(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    symlinkSync(from, to);
  }
}

/**
 * Opens a rack; `close()` ends everything and removes its files.
 * @param prepareDataDir is given the empty dataDir, and returns what ends what it did there.
 */
export async function openTestRack(
  settings: Pick<RackSettings, "dhcp" | "strangers">,
  prepareDataDir: (dataDir: string) => () => void = () => () => {},
): Promise<TestRack> {
  const { path: scratch, remove: removeScratch } = openScratchFolder();
  const dataDir = join(scratch, "data");
  const identity = join(scratch, "identity.age");
  mkdirSync(dataDir);
  const leaveDataDir = prepareDataDir(dataDir);
  await lendAssets(dataDir, identity);
  const { dhcp, strangers } = settings;
  const logFile = join(scratch, "appliance.log");
  const rack = buildRack({ prefix: "e2e", dataDir, identity, logFile, dhcp, ...(strangers ? { strangers } : {}) });
  // A client of its own for each question: the appliance may be killed and started again in the meantime.
  const ask = <T>(path: string, query: Record<string, string | number> = {}) =>
    openAdminClient(rack.adminSocket).get<T>(path, query);
  const eventsOf = async (vm: Vm) => {
    const { events } = await ask<{ events: EventView[] }>("/v1/events", { machine: vm.mac, limit: 1000 });
    return events.filter((event) => event.at >= vm.poweredOnAt);
  };
  const timelineOf = async (vm: Vm) =>
    (await eventsOf(vm)).map((e) => `${((e.at - vm.poweredOnAt) / 1000).toFixed(1)} s  ${e.text}`).join("\n");
  return {
    ...rack,
    scratchFile: (name) => join(scratch, name),
    eventsOf,
    timelineOf,
    machineOf: (vm) => ask<MachineView>(`/v1/machines/${vm.mac}`),
    waitForEvent: async (vm, kind, timeoutMs) => {
      const until = Date.now() + timeoutMs;
      for (;;) {
        // The appliance may be away for a moment, and a machine nobody has seen yet has no events.
        const found = (await eventsOf(vm).catch(() => [])).find((event) => event.kind === kind);
        if (found) return found;
        if (Date.now() > until || !vm.isOn()) {
          const why = vm.isOn() ? `${timeoutMs / 1000} s passed` : "the machine is off";
          const timeline = await timelineOf(vm).catch((cause: Error) => cause.message);
          const log = readFileSync(logFile, "utf8").split("\n").slice(-20).join("\n");
          const shown = vm.console().split("\n").slice(-40).join("\n");
          throw new SlipwayError(
            "COMMAND_FAILED",
            `${vm.mac}: ${why} before "${kind}"; its timeline:\n${timeline}\nits console:\n${shown}\nthe appliance:\n${log}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    },
    close: async () => {
      await rack.close();
      leaveDataDir();
      removeScratch();
    },
  };
}
