// All that the agent's loops touch, as one argument: main.ts fills it from the machine, a test from what it wants to see.
// Pure: types only.
import type {
  ClusterOrders,
  Facts,
  InstallOrder,
  InstallStep,
  NodeStatus,
} from "../server/contract/generated/agent.ts";
import type { BootSource } from "./boot-source.ts";
import type { ClockRules } from "./clock.ts";
import type { Clock } from "./clock-service.ts";
import type { AgentLog } from "./log.ts";
import type { NodeStore, StoredConfig } from "./node/open-state.ts";
import type { InstallRecord } from "./node/state-files.ts";
import type { Notify } from "./notify-socket.ts";
import type { KernelLog } from "./read-kmsg.ts";
import type { ScreenStatus } from "./screen.ts";
import type { Identity, Store } from "./store.ts";

/** How often a session looks, in milliseconds. */
export type Pace = {
  /** For new log lines. */
  linesMs: number;
  /** For facts that changed, and for a certificate that has lived two thirds of its time. */
  factsMs: number;
};

export type World = {
  bootSource: BootSource;
  store: Store;
  /** STATE; undefined on a machine that was booted from the network. */
  nodeStore: NodeStore | undefined;
  /** Why there is no STATE although the machine was booted from its disk, and what to do. */
  stateFault: { reason: string; remedy: string } | undefined;
  clock: Clock;
  /** What the clock may be set to now. */
  clockRules(): ClockRules;
  /** The clock was compared with a source that is to be believed, and is right now. */
  clockConfirmed(): void;
  log: AgentLog;
  notify: Notify;
  version: string;
  bootId: string;
  /** The agent's own start, milliseconds since the kernel's. */
  startedMs: number;
  observe(): Facts;
  /** Own addresses, as one text: it differs when one came or went. Cheap, asked four times a second while waiting. */
  addresses(): string;
  show(status: ScreenStatus): void;
  openKernelLog(afterSeq: number): KernelLog | undefined;
  /** Resolves after `ms`, or at once when the signal says stop. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  chance(): number;
  /** A random UUID. */
  newId(): string;
  pace: Pace;
  /** Reads the whole image on the own disk, slowly; undefined where there is none, or the signal stopped it. */
  checkImage(signal: AbortSignal): Promise<ImageCheck | undefined>;
  installer: Installer;
  power: Power;
  openNode(parts: NodeParts): NodeLife;
};

/** `text`: a sentence, for a damaged one with the remedy. */
export type ImageCheck = { kind: "whole" | "damaged" | "unknown"; text: string };

/** What an install needs beside the machine itself. */
export type InstallJob = {
  order: InstallOrder;
  installId: string;
  config: StoredConfig;
  identity: Identity;
  /** PEM. Secret. */
  key: string;
};

/** `failed` is an outcome: a person sees reason and remedy beside the machine and on its screen. */
export type Failed = { kind: "failed"; reason: string; remedy: string };
export type Installed = { kind: "installed"; number: number; disk: string } | Failed;
export type Reset = { kind: "reset" } | Failed;

/** What changes the disk. The same order goes on where it was cut. */
export type Installer = {
  install(job: InstallJob, report: (step: InstallStep) => void, signal: AbortSignal): Promise<Installed>;
  /** Wipes what an install made. @param id of the verb: its steps carry it. */
  reset(id: string, identity: Identity, report: (step: InstallStep) => void, signal: AbortSignal): Promise<Reset>;
};

/** The whole machine's power. Each resolves when the system's manager has the order. */
export type Power = { reboot(): Promise<void>; powerOff(): Promise<void> };

export type NodeParts = { store: NodeStore; config: StoredConfig; install: InstallRecord };

/** A running node: it lives without the appliance, and without a session. */
export type NodeLife = {
  install: InstallRecord;
  role: "controlplane" | "worker";
  /** Of the cluster: `https://192.0.2.5:6443`. */
  endpoint: string;
  setOrders(orders: ClusterOrders | undefined): void;
  status(): NodeStatus;
  /** Called whenever the status may have changed. */
  watch(listener: () => void): void;
  /** Stops what the agent runs of it. Its services live on. */
  stop(): Promise<void>;
  /** Ends the services as well, before a reset. */
  end(): Promise<void>;
};
