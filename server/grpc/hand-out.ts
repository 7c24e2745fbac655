// Who may be given a config, with a cluster's secrets in it (design §6.3, docs/enrolment.md): an armed machine, within its
// window, once per boot attempt; the same key again until the machine has said that it is stored. Pure: config-service.ts
// gathers, writes and answers.
import type { PendingInstall } from "../../inventory/cluster.ts";
import type { Machine } from "../../inventory/machine.ts";

export type HandOutFacts = {
  machine: Machine;
  /** As the machine named it. */
  order: string;
  /** SHA-256 of the key behind the caller's certificate, hex. */
  keyFingerprint: string;
  /** The boot attempt in which this key enrolled; undefined when nobody knows any more. */
  attemptId: string | undefined;
  /** Milliseconds since 1970. */
  now: number;
  /** How long the window is, from the first contact with the order. */
  armedMs: number;
};

export type HandOut =
  /** `install` is what must be on disk before the answer leaves; `isRepeat`: the same key had it in this attempt. */
  | { kind: "give"; install: PendingInstall; isRepeat: boolean }
  | {
      kind: "refuse";
      code: "NOT_ARMED" | "WRONG_ORDER";
      reason: string;
      remedy: string;
      /** Somebody else may have the config: a person has to look. */
      isOtherKey?: true;
    };

type Armed = HandOutFacts & { install: PendingInstall };
type Refusal = Omit<Extract<HandOut, { kind: "refuse" }>, "kind">;

/** When the window of an install ends; undefined before the first contact. */
export const windowEnd = (install: PendingInstall, armedMs: number): number | undefined =>
  install.firstContactAt === undefined ? undefined : install.firstContactAt + armedMs;

/** Whether the window is over. */
export function isLate(install: PendingInstall, armedMs: number, now: number): boolean {
  const end = windowEnd(install, armedMs);
  return end !== undefined && now >= end;
}

const again = (machine: Machine): string => `slipway install ${machine.name ?? machine.macs[0]}`;

/** Each rule between an armed machine and its config, in the order in which people are told. */
const RULES: readonly ((f: Armed) => Refusal | undefined)[] = [
  ({ order, install }) =>
    order === install.order
      ? undefined
      : {
          code: "WRONG_ORDER",
          reason: "it names an install that was not ordered, or that another one has replaced",
          remedy: "Nothing to do: the machine goes on with the order that its state names.",
        },
  ({ machine, install, armedMs, now }) =>
    isLate(install, armedMs, now)
      ? {
          code: "NOT_ARMED",
          reason: `the ${hours(armedMs)} in which it may be given its config are over`,
          remedy: `Order the install anew: ${again(machine)}`,
        }
      : undefined,
  ({ machine, install, keyFingerprint, attemptId }) =>
    install.givenToKey === undefined ||
    install.givenToKey === keyFingerprint ||
    (attemptId !== undefined && attemptId !== install.givenInAttempt)
      ? undefined
      : {
          ...{ code: "WRONG_ORDER", isOtherKey: true },
          reason: "the config was given to another key of this boot attempt",
          remedy: `If that was not this machine, somebody has its config: reset its cluster's secrets. Else power it on again, or: ${again(machine)}`,
        },
];

/** Decides on one request. */
export function decideHandOut(facts: HandOutFacts): HandOut {
  const { machine, keyFingerprint, attemptId, now } = facts;
  const { install } = machine;
  if (machine.lifecycle !== "approved" || install === undefined) {
    const reason =
      machine.lifecycle === "discovered"
        ? "nobody approved it"
        : `no install of it is ordered (it is ${machine.lifecycle})`;
    const remedy = machine.lifecycle === "discovered" ? `slipway approve ${machine.macs[0]}` : again(machine);
    return { kind: "refuse", code: "NOT_ARMED", reason, remedy };
  }
  for (const rule of RULES) {
    const refusal = rule({ ...facts, install });
    if (refusal !== undefined) return { kind: "refuse", ...refusal };
  }
  const { failure: _, ...rest } = install;
  return {
    kind: "give",
    install: {
      ...rest,
      firstContactAt: install.firstContactAt ?? now,
      givenToKey: keyFingerprint,
      ...(attemptId !== undefined && { givenInAttempt: attemptId }),
    },
    isRepeat: install.givenToKey === keyFingerprint,
  };
}

const hours = (ms: number): string =>
  ms < 3_600_000 ? `${Math.round(ms / 60_000)} minutes` : `${Math.round(ms / 3_600_000)} hours`;
