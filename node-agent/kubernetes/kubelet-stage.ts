// Whether a kubelet that runs should begin once more: when it would find what it lacked at its last start, or when the API has
// forgotten its node. Called by run-services.ts, which notes the stage of each start in /run. Pure.

/** How much a kubelet would find that began now: 0 no API, 1 the API, 2 also its certificate. */
export type KubeletStage = 0 | 1 | 2;
export type KubeletFacts = {
  isControlPlane: boolean;
  hasApiAnswered: boolean;
  /** For how long this process has known that; undefined while it has not noted it. */
  answeredForMs: number | undefined;
  /** A control plane node's controller manager runs. */
  runsControllers: boolean;
  hasCertificate: boolean;
  /** The stage of its last start, as noted; undefined where it began only just now. */
  noted: string | undefined;
  /** The node works with the kubelet as it is. */
  isReady: boolean;
  /** For how long the API has said that it knows no such node. */
  unknownForMs: number | undefined;
};
/** `stage`: to be noted, after the restart. `register`: restart it, for only a start registers the node. */
export type KubeletStep = { kind: "leave" | "register" } | { kind: "note" | "restart"; stage: KubeletStage };

/** A kubelet that cannot start the controller manager is begun anew in any case. */
const CONTROLLERS_WITHIN_MS = 150_000;
/**
 * A cluster that was begun anew, or somebody who deleted the Node of a machine that still is a member. Longer than a slow
 * machine's kubelet takes from its certificate to its registration: a start in between would begin all of that anew.
 */
const FORGOTTEN_MS = 300_000;

/** A node that is ready works with what its kubelet has: the stage is noted, and nothing else done. */
export function decideKubelet(facts: KubeletFacts): KubeletStep {
  const { noted, isReady, unknownForMs } = facts;
  const stage = stageOf(facts);
  if (noted === undefined) return { kind: "note", stage };
  if (Number(noted) < stage) return { kind: isReady ? "note" : "restart", stage };
  return { kind: unknownForMs !== undefined && unknownForMs >= FORGOTTEN_MS ? "register" : "leave" };
}

/**
 * One that begins without an API fails in many places (registration, CSINode), with waits that grow to 7 and 117 s, and ends
 * itself after two minutes; begun again when all is there it is Ready in seconds. Pods are not touched by that. On a control
 * plane node it first starts the controller manager, which a Ready node needs too: a second start before would have that wait
 * for it.
 */
export function stageOf(facts: Omit<KubeletFacts, "noted" | "isReady" | "unknownForMs">): KubeletStage {
  const { isControlPlane, hasApiAnswered, answeredForMs, runsControllers, hasCertificate } = facts;
  if (!hasApiAnswered) return 0;
  const isLate = answeredForMs !== undefined && answeredForMs > CONTROLLERS_WITHIN_MS;
  if (isControlPlane && !runsControllers && !isLate) return 0;
  return hasCertificate ? 2 : 1;
}
