// When a kubelet that runs is begun once more, and above all when not: each start costs a slow machine a minute.
import { expect, test } from "vitest";
import { decideKubelet, type KubeletFacts, stageOf } from "../../../node-agent/kubernetes/kubelet-stage.ts";

/** A control plane node whose API has just answered, and whose kubelet began before. */
const base: KubeletFacts = {
  ...{ isControlPlane: true, hasApiAnswered: true, answeredForMs: 1000, runsControllers: false, hasCertificate: true },
  ...{ noted: "0", isReady: false, unknownForMs: undefined },
};
const WORKER = { isControlPlane: false };

test.each<[string, Partial<KubeletFacts>, number]>([
  ["no API", { hasApiAnswered: false }, 0],
  ["no API, although a controller manager runs", { hasApiAnswered: false, runsControllers: true }, 0],
  ["an API, and a controller manager that has not begun", {}, 0],
  ["an API that answered in this very turn", { answeredForMs: undefined }, 0],
  ["a controller manager that has time", { answeredForMs: 150_000 }, 0],
  ["a controller manager that took longer", { answeredForMs: 150_001 }, 2],
  ["all that a control plane node has", { runsControllers: true }, 2],
  ["no certificate", { runsControllers: true, hasCertificate: false }, 1],
  ["a worker without an API", { ...WORKER, hasApiAnswered: false }, 0],
  ["a worker before it has joined", { ...WORKER, hasCertificate: false }, 1],
  ["a worker that has joined, which runs no controllers", WORKER, 2],
])("stageOf with %s", (_, over, want) => expect(stageOf({ ...base, ...over })).toBe(want));

test.each<[string, Partial<KubeletFacts>, ReturnType<typeof decideKubelet>]>([
  ["notes the first start as what it was", { noted: undefined, hasApiAnswered: false }, { kind: "note", stage: 0 }],
  ["notes a late first start with all at hand", { ...WORKER, noted: undefined }, { kind: "note", stage: 2 }],
  ["waits for the controller manager", {}, { kind: "leave" }],
  ["begins it anew when all is there", { runsControllers: true }, { kind: "restart", stage: 2 }],
  ["leaves a node that works, and notes it", { runsControllers: true, isReady: true }, { kind: "note", stage: 2 }],
  ["begins a worker anew with its certificate", { ...WORKER, noted: "1" }, { kind: "restart", stage: 2 }],
  ["does not begin it a second time", { runsControllers: true, noted: "2" }, { kind: "leave" }],
  ["takes nothing back when the pods are out of sight", { noted: "2" }, { kind: "leave" }],
  ["takes nothing back when the API is gone", { noted: "2", hasApiAnswered: false }, { kind: "leave" }],
  ["leaves a node unknown for a while", { noted: "2", unknownForMs: 299_999 }, { kind: "leave" }],
  ["registers one unknown for long", { noted: "2", unknownForMs: 300_000 }, { kind: "register" }],
  [
    "prefers what it lacked to a registration: both are one start",
    { runsControllers: true, unknownForMs: 300_000 },
    { kind: "restart", stage: 2 },
  ],
])("decideKubelet %s", (_, over, want) => expect(decideKubelet({ ...base, ...over })).toEqual(want));
