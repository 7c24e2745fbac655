// What this machine knows of the time, and who may set it. Edge: the clock, time.json on STATE. An installed node starts no
// earlier than it last ran, whatever its battery says; only a time that somebody confirmed is saved, so that a clock which was
// once years ahead does not bind the node to that.
import type { ClockRules } from "../clock.ts";
import { startTimeMs } from "../clock.ts";
import type { Clock } from "../clock-service.ts";
import type { AgentLog } from "../log.ts";
import { exists, type Root } from "../read-sysfs.ts";
import type { NodeStore } from "./open-state.ts";

const SAVE_EVERY_MS = 60_000;
/** systemd-timesyncd makes it once a server has answered in this boot. */
const NTP_MARK = "run/systemd/timesync/synchronized";

/** What the machine config says of it. `servers` empty: the appliance. */
export type TimeConfig = { disabled: boolean; servers: readonly string[]; bootTimeoutMs: number | undefined };

export type ClockKeeper = {
  rules(): ClockRules;
  /** The appliance's clock and this one agree now. */
  confirmed(): void;
  /** A node's config came: from now on it says who sets the clock. */
  configure(config: TimeConfig): void;
  /** False while the clock may be years off. */
  isSet(): boolean;
  /** Writes the time to STATE, if it is to be believed. */
  save(): void;
  /** Resolves after the signal, with the last time saved. */
  ended: Promise<void>;
};

export type ClockDeps = {
  clock: Clock;
  machine: Root;
  store: NodeStore | undefined;
  isContainer: boolean;
  log: AgentLog;
  wait(ms: number, signal: AbortSignal): Promise<void>;
};

/** Sets the clock forward where it must, then saves the time once a minute until the signal says stop. */
export function keepClock(deps: ClockDeps, signal: AbortSignal): ClockKeeper {
  const { clock, machine, store, isContainer, log } = deps;
  const savedMs = store?.readTime();
  let isConfirmed = setForward(deps, savedMs);
  let config: TimeConfig | undefined;
  const isSynchronized = () => (config?.servers.length ?? 0) > 0 && exists(machine, NTP_MARK);
  const isKnown = () => isConfirmed || isSynchronized();
  const save = () => {
    if (store === undefined || isContainer || !isKnown()) return;
    try {
      store.saveTime(clock.now());
    } catch (error) {
      log.warn(`The time could not be kept on STATE: ${(error as Error).message}`);
    }
  };
  const isTimeUp = () => config?.bootTimeoutMs !== undefined && clock.uptimeMs() > config.bootTimeoutMs;
  return {
    rules: () => ({
      floorMs: isContainer ? 0 : (savedMs ?? 0),
      isOthers: isContainer || config?.disabled === true || isSynchronized(),
    }),
    confirmed: () => {
      const isNew = !isConfirmed;
      isConfirmed = true;
      if (isNew) save();
    },
    configure: (next) => {
      config = next;
    },
    isSet: () => isContainer || isKnown() || savedMs !== undefined || config?.disabled === true || isTimeUp(),
    save,
    ended: saveOften(deps, save, signal),
  };
}

/** Returns whether the clock now goes on from a time that was believed before. */
function setForward({ clock, isContainer, log }: ClockDeps, savedMs: number | undefined): boolean {
  const toMs = isContainer ? undefined : startTimeMs(clock.now(), savedMs);
  if (toMs === undefined) return false;
  const was = new Date(clock.now()).toISOString();
  try {
    clock.set(toMs);
    log.info(`The clock said ${was}; it was set to ${new Date(toMs).toISOString()}, when this node last ran.`);
    return true;
  } catch (error) {
    log.warn(`The clock says ${was} and could not be set forward: ${(error as Error).message}`);
    return false;
  }
}

async function saveOften({ wait }: ClockDeps, save: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await wait(SAVE_EVERY_MS, signal);
    save();
  }
}
