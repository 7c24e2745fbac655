// Many runs of one long test: each has its own seed, its result is a line of a file, and a run that is there already is not
// made again, so that a test that was cut off goes on. Used by the long tests of clusters.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { randomFrom } from "./seeded-random.ts";

export type RunResult = { isGood: boolean } & Record<string, unknown>;
export type Repeat = {
  name: string;
  runs: number;
  /** @param random chance of this run's own seed. */
  once: (run: number, random: () => number) => Promise<RunResult>;
};

/**
 * `--runs N --seed S --results FILE` from the command line; prints each run and the sum, and sets the exit code. Without
 * `--seed` a new one is taken, and told.
 */
export async function repeatRuns({ name, runs: wanted, once }: Repeat): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: String(wanted) },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      results: { type: "string" },
    },
    strict: false,
  });
  const [runs, seed] = [Number(values.runs), Number(values.seed)];
  const file = String(values.results ?? join("data", "long", `${name}-${seed}.jsonl`));
  mkdirSync(dirname(file), { recursive: true });
  const done = new Map(readResults(file).map((result) => [result.run as number, result]));
  console.log(`${name}: seed ${seed}; results in ${file} (the same --seed goes on there)`);
  for (let run = 1; run <= runs; run++) {
    if (done.has(run)) continue;
    const result = await once(run, randomFrom(seed * 1000 + run)).catch(
      (error: Error): RunResult => ({ isGood: false, fault: error.message }),
    );
    done.set(run, { run, ...result });
    appendFileSync(file, `${JSON.stringify({ run, ...result })}\n`);
    console.log(`${run} of ${runs}: ${JSON.stringify(result).slice(0, 2000)}`);
  }
  const good = [...done.values()].filter((result) => result.isGood).length;
  console.log(`${name}: ${good} of ${runs} good`);
  process.exitCode = good === runs ? 0 : 1;
}

function readResults(file: string): RunResult[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  // A failed run is made again: whoever starts anew has mended something.
  return lines.map((line) => JSON.parse(line) as RunResult).filter((result) => result.isGood);
}
