// A node's word about itself for people's terminals: it holds texts of the cluster's users too (names of pods, what the scheduler
// says), and none of them may steer a terminal. Called by node-report-service.ts. Pure.

const STEERING = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
/** A scheduler counts up its reasons for each taint. */
const LONGEST = 1000;

/** The same value with every text in it printable and of at most 1000 characters. */
export function cleanDeep<T>(value: T): T {
  if (typeof value === "string") return value.replace(STEERING, " ").slice(0, LONGEST) as T;
  if (Array.isArray(value)) return value.map(cleanDeep) as T;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, cleanDeep(one)])) as T;
}
