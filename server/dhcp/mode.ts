// How an interface decides whether it leases addresses: the state machine behind `dhcp: auto`, `server` and `proxy`. Pure;
// run-mode.ts feeds it time and what the wire said, and does what it answers. docs/dhcp-modes.md explains it to people.
//
// The one rule: never be the second server. A remembered `proxy` stays one until a person says otherwise, because after a
// site's power cut the appliance is up before the router.
import type { Ipv4, Mac } from "../../inventory/address.ts";

export type ModeSettings = {
  dhcp: "auto" | "server" | "proxy";
  force: boolean;
  /**
   * So much longer than ten minutes another server must be silent; other on each box. Two appliances that held back because of
   * each other would else go on at the same moment, meet again, and nobody would ever lease an address.
   */
  patienceMs?: number;
};
/** What was found out on this interface and subnet before; `gatewayMac` names the network it was true for. */
export type Remembered = { mode: "server" | "proxy"; gatewayMac?: Mac };
export type ForeignServer = { server: Ipv4; mac?: Mac };

/** Looking: renewals only. Serving: everything. Held: another server was heard, renewals only and boot data as a proxy. */
export type ModeState = { settings: ModeSettings } & (
  | { kind: "looking"; endsAt: number; probes: number; gatewayMac?: Mac }
  | { kind: "serving"; nextProbeAt: number; gatewayMac?: Mac; alarmedAt?: number }
  | { kind: "held"; since: number; heardAt: number; nextProbeAt: number; foreign: ForeignServer; gatewayMac?: Mac }
  | { kind: "proxy"; nextProbeAt: number; heardAt: number; isUnserved: boolean }
);

export type ModeEvent =
  /** `deaf`: why other servers cannot be heard here, when they cannot. */
  | {
      kind: "start";
      now: number;
      settings: ModeSettings;
      remembered?: Remembered;
      gatewayMac?: Mac;
      deaf?: string;
    }
  /** Another server offered or acknowledged an address, or a client asked it for one. */
  | { kind: "foreign"; now: number; foreign: ForeignServer }
  | { kind: "tick"; now: number };

export type ModeAction =
  /** Broadcast one DISCOVER of our own. */
  | { kind: "probe" }
  | { kind: "remember"; remembered: Remembered }
  | { kind: "announce"; mode: string; reason: string }
  | { kind: "alarm"; foreign: ForeignServer; consequence: string }
  /** Nobody leases addresses on this network: said once per silence. */
  | { kind: "unserved"; reason: string };

export type Stepped = readonly [ModeState, readonly ModeAction[]];

const SECOND = 1000;
/** A DISCOVER at once and after 1, 3 and 6 s; the answer to the last one has 4 s. */
const PROBE_AT_MS = [0, 1 * SECOND, 3 * SECOND, 6 * SECOND];
const LOOK_MS = 10 * SECOND;
/** While serving: often enough to meet a router that comes up late, cheap enough for ever (one packet). */
const WATCH_EVERY_MS = 30 * SECOND;
/** How long another server must be silent before we lease again, and how long it must stay before `auto` yields to it for good. */
const SETTLE_MS = 600 * SECOND;
/** A proxy's network without any server for this long is worth a word. */
const UNSERVED_MS = 120 * SECOND;
/** With `force` the alarm is repeated, not given for every packet. */
const ALARM_AGAIN_MS = 3600 * SECOND;

/** What the interface may do in a state. `opens`: give addresses to new clients; `renews`: confirm those it gave. */
export type Permission = {
  mode: "server" | "proxy";
  opens: boolean;
  renews: boolean;
  offersBoot: boolean;
  reason: string;
};

export function permissionOf(state: ModeState): Permission {
  switch (state.kind) {
    case "looking":
      return {
        mode: "server",
        opens: false,
        renews: true,
        offersBoot: false,
        reason: "looking for other DHCP servers",
      };
    case "serving":
      return { mode: "server", opens: true, renews: true, offersBoot: true, reason: "no other server" };
    case "held":
      return {
        mode: "server",
        opens: false,
        renews: true,
        offersBoot: true,
        reason: `the DHCP server ${state.foreign.server} answers here too`,
      };
    case "proxy":
      return {
        mode: "proxy",
        opens: false,
        renews: false,
        offersBoot: true,
        reason: "another server leases addresses",
      };
  }
}

/** The first state of an interface, from its settings and what is remembered. */
export function startMode(event: Extract<ModeEvent, { kind: "start" }>): Stepped {
  const { settings, now } = event;
  const gateway = event.gatewayMac === undefined ? {} : { gatewayMac: event.gatewayMac };
  if (settings.dhcp === "proxy") return toProxy(settings, now, "dhcp: proxy in the settings");
  if (settings.force) {
    const [state, actions] = toServing(
      settings,
      now,
      gateway,
      "force: true in the settings; other servers are not waited for",
    );
    return [state, [remember("server", event.gatewayMac), ...actions]];
  }
  if (settings.dhcp === "auto" && isSameNetwork(event) && event.remembered?.mode === "proxy") {
    const reason = "another server was found here before; `dhcp: server` in the settings would change that";
    return toProxy(settings, now, reason);
  }
  if (event.deaf !== undefined) {
    const reason = `other DHCP servers cannot be looked for: ${event.deaf}`;
    return settings.dhcp === "auto" ? toProxy(settings, now, reason) : toServing(settings, now, gateway, reason);
  }
  const state = { kind: "looking" as const, settings, endsAt: now + LOOK_MS, probes: 0, ...gateway };
  const reason = `looks for other DHCP servers for ${LOOK_MS / SECOND} s before it leases addresses`;
  const [probing, actions] = stepLooking(state, { kind: "tick", now });
  return [probing, [{ kind: "announce", mode: "looking", reason }, ...actions]];
}

/** A memory counts when the gateway answers with the MAC it had then, or when one of the two is not known. */
function isSameNetwork(event: Extract<ModeEvent, { kind: "start" }>): boolean {
  const [then, now] = [event.remembered?.gatewayMac, event.gatewayMac];
  return then === undefined || now === undefined || then === now;
}

/** One step. Call it for every foreign packet and at least once a second. */
export function stepMode(state: ModeState, event: Exclude<ModeEvent, { kind: "start" }>): Stepped {
  switch (state.kind) {
    case "looking":
      return stepLooking(state, event);
    case "serving":
      return stepServing(state, event);
    case "held":
      return stepHeld(state, event);
    case "proxy":
      return stepProxy(state, event);
  }
}

type In<K extends ModeState["kind"]> = Extract<ModeState, { kind: K }>;
type Later = Exclude<ModeEvent, { kind: "start" }>;

function stepLooking(state: In<"looking">, event: Later): Stepped {
  const { settings, gatewayMac } = state;
  if (event.kind === "foreign") {
    if (settings.dhcp === "server") return toHeld(state, event);
    const reason = `the DHCP server ${event.foreign.server} answers here`;
    const [next, actions] = toProxy(settings, event.now, reason);
    return [next, [remember("proxy", gatewayMac), ...actions]];
  }
  if (event.now >= state.endsAt) {
    const reason = `no other DHCP server answered within ${LOOK_MS / SECOND} s`;
    const [next, actions] = toServing(settings, event.now, state, reason);
    return [next, [remember("server", gatewayMac), ...actions]];
  }
  const due = PROBE_AT_MS.filter((at) => event.now >= state.endsAt - LOOK_MS + at).length;
  return due > state.probes ? [{ ...state, probes: due }, [{ kind: "probe" }]] : [state, []];
}

function stepServing(state: In<"serving">, event: Later): Stepped {
  if (event.kind === "tick") return probeWhenDue(state, event.now);
  if (!state.settings.force) return toHeld(state, event);
  if (event.now < (state.alarmedAt ?? Number.NEGATIVE_INFINITY) + ALARM_AGAIN_MS) return [state, []];
  const consequence = "this appliance goes on leasing addresses because force: true says so";
  return [{ ...state, alarmedAt: event.now }, [{ kind: "alarm", foreign: event.foreign, consequence }]];
}

function stepHeld(state: In<"held">, event: Later): Stepped {
  const { settings, gatewayMac } = state;
  if (event.kind === "foreign") {
    const next = { ...state, heardAt: event.now, foreign: event.foreign };
    if (settings.dhcp !== "auto" || event.now - state.since < SETTLE_MS) return [next, []];
    const reason = `the DHCP server ${event.foreign.server} stays, so it leases the addresses from now on`;
    const [proxy, actions] = toProxy(settings, event.now, reason);
    return [proxy, [remember("proxy", gatewayMac), ...actions]];
  }
  const settleMs = SETTLE_MS + (settings.patienceMs ?? 0);
  if (event.now - state.heardAt >= settleMs) {
    const reason = `${state.foreign.server} has been silent for ${Math.round(settleMs / SECOND)} s`;
    return toServing(settings, event.now, state, reason);
  }
  return probeWhenDue(state, event.now);
}

function stepProxy(state: In<"proxy">, event: Later): Stepped {
  if (event.kind === "foreign") return [{ ...state, heardAt: event.now, isUnserved: false }, []];
  const [probed, actions] = probeWhenDue(state, event.now);
  if (state.isUnserved || event.now - state.heardAt < UNSERVED_MS) return [probed, actions];
  const reason =
    "no DHCP server leases addresses here, and a proxy does not; if this appliance should, set `dhcp: server` for the interface";
  return [{ ...probed, isUnserved: true } as ModeState, [...actions, { kind: "unserved", reason }]];
}

function probeWhenDue<S extends In<"serving" | "held" | "proxy">>(state: S, now: number): readonly [S, ModeAction[]] {
  if (now < state.nextProbeAt) return [state, []];
  return [{ ...state, nextProbeAt: now + WATCH_EVERY_MS }, [{ kind: "probe" }]];
}

const remember = (mode: "server" | "proxy", gatewayMac?: Mac): ModeAction => ({
  kind: "remember",
  remembered: gatewayMac === undefined ? { mode } : { mode, gatewayMac },
});

function toProxy(settings: ModeSettings, now: number, reason: string): Stepped {
  const state = {
    kind: "proxy" as const,
    settings,
    nextProbeAt: now + WATCH_EVERY_MS,
    heardAt: now,
    isUnserved: false,
  };
  return [state, [{ kind: "announce", mode: "proxy", reason }]];
}

function toServing(settings: ModeSettings, now: number, from: { gatewayMac?: Mac }, reason: string): Stepped {
  const gateway = from.gatewayMac === undefined ? {} : { gatewayMac: from.gatewayMac };
  const state = { kind: "serving" as const, settings, nextProbeAt: now + WATCH_EVERY_MS, ...gateway };
  return [state, [{ kind: "announce", mode: "server", reason }]];
}

function toHeld(from: In<"looking" | "serving">, event: Extract<ModeEvent, { kind: "foreign" }>): Stepped {
  const { now, foreign } = event;
  const gateway = from.gatewayMac === undefined ? {} : { gatewayMac: from.gatewayMac };
  const nextProbeAt = now + WATCH_EVERY_MS;
  const state = {
    kind: "held" as const,
    settings: from.settings,
    since: now,
    heardAt: now,
    nextProbeAt,
    foreign,
    ...gateway,
  };
  const consequence =
    from.settings.dhcp === "auto"
      ? "no new addresses are leased; renewals go on. Stop one of the two; this one yields for good if the other stays for 10 minutes"
      : "no new addresses are leased; renewals go on. Stop one of the two, or set force: true";
  return [state, [{ kind: "alarm", foreign, consequence }]];
}
