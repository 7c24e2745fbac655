// How the set-up speaks: one line per step, with its time when it took long. Plain JavaScript: the system's Node 18 runs it.

/** Exit code for "the environment must change first" (server/contract/errors.ts uses the same). */
export const EXIT_ENVIRONMENT = 3;

/** One line of progress. */
export const say = (text) => console.log(`[slipway] ${text}`);

/** Runs one step, says its name before and its time after when it took more than two seconds. */
export async function step(name, work) {
  const startedAt = Date.now();
  say(`${name} …`);
  const result = await work();
  const seconds = (Date.now() - startedAt) / 1000;
  if (seconds > 2) say(`${name}: done in ${formatSeconds(seconds)}`);
  return result;
}

/** `8.1 s`, `2 min 5 s`. */
export function formatSeconds(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Ends the set-up: what is wrong, and what to do. */
export class SetupError extends Error {
  constructor(message, remedy, exitCode = EXIT_ENVIRONMENT) {
    super(message);
    this.remedy = remedy;
    this.exitCode = exitCode;
  }
}

/** Runs a set-up program: a SetupError is told in words, everything else is a fault of ours with its stack. */
export async function main(work) {
  try {
    process.exitCode = await work();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`[slipway] ${error.message}`);
    if (error.remedy) console.error(`[slipway] ${error.remedy}`);
    process.exitCode = error.exitCode;
  }
}
