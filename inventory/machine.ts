// What a machine is and which states may follow which. Pure. docs/lifecycle.md and the SQL checks are compared
// with these tables by tests.
import { SlipwayError } from "../server/contract/errors.ts";
import type { Ipv4, Mac } from "./address.ts";
import type { Installation, PendingInstall, PendingVerb } from "./cluster.ts";

/** How far a machine has come, for good. A person or the agent moves it. */
export const LIFECYCLE = {
  discovered: ["approved", "retired"],
  approved: ["installed", "discovered", "retired"],
  installed: ["ready", "approved", "discovered", "retired"],
  ready: ["installed", "approved", "discovered", "retired"],
  retired: ["discovered", "installed"],
} as const satisfies Record<string, readonly string[]>;
export type Lifecycle = keyof typeof LIFECYCLE;

/** What a machine does right now. Any machine may lose its power, so `firmware` and `off` may follow everything. */
export const ACTIVITY = {
  off: ["firmware", "loading", "running"],
  firmware: ["loading", "running", "failed"],
  loading: ["running", "failed"],
  running: ["waiting", "installing", "trying", "rolling-back", "resetting", "failed"],
  waiting: ["running", "installing", "resetting", "failed"],
  installing: ["running", "waiting", "failed"],
  trying: ["running", "rolling-back", "failed"],
  "rolling-back": ["running", "failed"],
  resetting: ["running", "waiting", "failed"],
  failed: ["loading", "running", "waiting", "installing", "resetting"],
} as const satisfies Record<string, readonly string[]>;
export type Activity = keyof typeof ACTIVITY;
const ALWAYS_POSSIBLE: readonly string[] = ["off", "firmware"];

/** The roles that exist from the start; files may add more (inventory/cluster.ts). */
export const ROLES = ["controlplane", "worker"] as const;
export type Role = string;

/** What a person wants a machine's network boot to be; undefined follows the interface's `strangers` and the lifecycle. */
export const BOOT_CHOICES = ["os", "disk", "ignore"] as const;
export type BootChoice = (typeof BOOT_CHOICES)[number];

export type Machine = {
  id: string;
  /** All MACs of this machine; the first is the one it was first seen with. */
  macs: readonly Mac[];
  uuid?: string;
  serial?: string;
  name?: string;
  role?: Role;
  /** Its cluster, where its role alone does not say it. */
  cluster?: string;
  /** Its document's spec (patches …), as `slipway apply` gave it. */
  spec?: Readonly<Record<string, unknown>>;
  /** Its reservation, from approval on. */
  address?: Ipv4;
  boot?: BootChoice;
  lifecycle: Lifecycle;
  activity: Activity;
  /** Step or reason, in plain words; always set when activity is `failed`. */
  activityReason?: string;
  /** `amd64`, `arm64` … as far as known. */
  arch?: string;
  /** `bios`, `uefi` … as far as known. */
  firmware?: string;
  /** Maker and product from DMI. */
  product?: string;
  /** What the agent observed, as it sent it. */
  facts?: unknown;
  /** The disk it would take and why, as the agent said. */
  installDisk?: string;
  /** SHA-256 of the key that enrolled last, hex. */
  keyFingerprint?: string;
  pairingCode?: string;
  install?: PendingInstall;
  installation?: Installation;
  verb?: PendingVerb;
  /** How often in a row it was sent to its disk without its agent being heard since. */
  diskBoots?: number;
  /** ISO-8601 UTC. */
  createdAt: string;
  seenAt: string;
  approvedAt?: string;
  approvedBy?: string;
};

/** Throws BAD_TRANSITION unless `to` may follow `from`; staying is always legal. */
export function assertLifecycle(from: Lifecycle, to: Lifecycle): void {
  const next: readonly string[] = LIFECYCLE[from];
  if (from !== to && !next.includes(to)) {
    throw new SlipwayError(
      "BAD_TRANSITION",
      `a machine that is ${from} cannot become ${to}; it can become ${next.join(" or ")}`,
    );
  }
}

/** So many times in a row an installed machine is sent to its disk before it counts as failed. */
export const MOST_UNHEARD = 3;

/** Sent to its disk again and again without being heard: failed, and each further power-on is the same failure once more. */
export const isGoingRound = ({ lifecycle, activity, diskBoots = 0 }: Machine): boolean =>
  (lifecycle === "installed" || lifecycle === "ready") && activity === "failed" && diskBoots >= MOST_UNHEARD;

/** Whether `to` may follow `from`; staying is always legal. */
export function canMoveActivity(from: Activity, to: Activity): boolean {
  return from === to || ALWAYS_POSSIBLE.includes(to) || (ACTIVITY[from] as readonly string[]).includes(to);
}
