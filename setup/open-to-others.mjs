// Some tests run our programs as a user without rights, who must be able to read the clone. Below a home directory (0700 on
// Debian) nobody else can. Then the tests see the clone at a second place, by a bind mount of their own mount namespace:
// nothing of the user's is changed. Called by test.mjs, as root.
import { chmodSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT, runProgram } from "./run-program.mjs";
import { say } from "./say.mjs";

/** The first directory on the way down to `path` that others may not pass; undefined when they may pass all. */
export function closedDirectory(path, modeOf = (directory) => statSync(directory).mode) {
  const above = dirname(path) === path ? undefined : closedDirectory(dirname(path), modeOf);
  return above ?? ((modeOf(path) & 0o001) === 0 ? path : undefined);
}

/** Whether this is the run that sees the clone at its second place. */
export const isAtSecondPlace = () => process.env.SLIPWAY_SECOND_PLACE !== undefined;

/** Shows the clone $2 at the directory $1, and goes on there with the rest. */
const AT_SECOND_PLACE = 'place=$1; clone=$2; shift 2; mount --bind "$clone" "$place" && cd "$place" && exec "$@"';

/** Runs one of the set-up's programs as it is, but seen at a place that others can reach. @returns its exit code. */
export async function runWhereOthersSee(closed, program, args) {
  const place = mkdtempSync(join(tmpdir(), "slipway-clone-"));
  chmodSync(place, 0o755);
  say(`other users cannot pass ${closed}; the tests see this clone at ${place}`);
  try {
    const again = [process.execPath, join(place, program), ...args];
    const unshare = ["--mount", "sh", "-c", AT_SECOND_PLACE, "sh", place, ROOT, ...again];
    return await runProgram("unshare", unshare, { env: { ...process.env, SLIPWAY_SECOND_PLACE: place } });
  } finally {
    rmdirSync(place);
  }
}
