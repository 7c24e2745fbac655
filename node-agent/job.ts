// The install that the agent has in hand, and the verb that it has taken, as they outlive its own restart. Pure. store.ts
// keeps them in /run/slipway, mode 0600: the config holds the cluster's secrets.

/** `done`: the machine is installed and only waits for the appliance's nod. */
export type Job = {
  /** InstallOrder.order */
  order: string;
  /** By chance: which installation comes out of it. */
  installId: string;
  /** The machine config as it was fetched. Secret. */
  config: string;
  done?: { number: number; disk: string };
};

export type TakenVerb = { id: string; verb: string };

export function parseJob(text: string): Job | undefined {
  const { order, installId, config, done } = fieldsOf(text);
  if (typeof order !== "string" || typeof installId !== "string" || typeof config !== "string") return undefined;
  const { number, disk } = Object(done) as Record<string, unknown>;
  const isDone = typeof number === "number" && typeof disk === "string";
  return { order, installId, config, ...(isDone && { done: { number, disk } }) };
}

export function parseTakenVerb(text: string): TakenVerb | undefined {
  const { id, verb } = fieldsOf(text);
  return typeof id === "string" && typeof verb === "string" ? { id, verb } : undefined;
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
