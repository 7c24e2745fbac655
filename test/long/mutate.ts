// Seeded mutations of bytes, and a look at this process's memory and descriptors, for the fuzz runs in this folder.
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";

/** mulberry32: the same sequence for the same seed, everywhere. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

const MAX_BYTES = 4000;

/** One to `changes` changes: a flipped bit, another byte, a cut, a repeated piece, inserted rubbish. */
export function mutate(original: Uint8Array, random: (below: number) => number, changes = 4): Buffer {
  let bytes = Buffer.from(original);
  for (let n = random(changes); n >= 0; n--) {
    const at = random(bytes.length + 1);
    const some = Buffer.from(Array.from({ length: random(8) }, () => random(256)));
    const piece = bytes.subarray(at, at + random(40));
    const next = [
      () => (at < bytes.length ? flip(bytes, at, random(8)) : bytes),
      () => (at < bytes.length ? set(bytes, at, random(256)) : bytes),
      () => bytes.subarray(0, at),
      () => Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]),
      () => Buffer.concat([bytes.subarray(0, at), some, bytes.subarray(at)]),
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random(20))]),
    ];
    bytes = Buffer.from(next[random(next.length)]!());
  }
  return bytes.subarray(0, MAX_BYTES);
}

const set = (bytes: Buffer, at: number, value: number) => {
  bytes[at] = value;
  return bytes;
};
const flip = (bytes: Buffer, at: number, bit: number) => set(bytes, at, bytes[at]! ^ (1 << bit));

/** `--count N --seed N`; the seed is printed so that a run can be repeated. */
export function fuzzArguments(): { count: number; seed: number } {
  const { values } = parseArgs({ options: { count: { type: "string" }, seed: { type: "string" } } });
  return { count: Number(values.count ?? 100_000), seed: Number(values.seed ?? Date.now() % 1_000_000) };
}

export const openDescriptors = (): number => readdirSync("/proc/self/fd").length;
export const rssMiB = (): number => Math.round(process.memoryUsage.rss() / 1024 / 1024);

/** Growth from the run's first quarter to its end: what grows without end shows here, what is warm-up does not. */
export class MemoryWatch {
  readonly #count: number;
  #early = 0;
  #peak = 0;

  constructor(count: number) {
    this.#count = count;
  }

  look(done: number): void {
    globalThis.gc?.();
    const now = rssMiB();
    this.#peak = Math.max(this.#peak, now);
    if (this.#early === 0 || done <= this.#count / 4) this.#early = Math.max(this.#early, now);
  }

  figures(): { earlyMiB: number; peakMiB: number; endMiB: number; growthMiB: number } {
    globalThis.gc?.();
    const endMiB = rssMiB();
    return { earlyMiB: this.#early, peakMiB: this.#peak, endMiB, growthMiB: endMiB - this.#early };
  }
}
