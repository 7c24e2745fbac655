// The full image, built behind a running appliance: Kubernetes is compiled on the first run, which takes many minutes. Its
// lines stand in the same output, the frequent ones thinned out; the appliance finds the image by itself when it is there.
// Called by start.mjs, and by start-lab.mjs for the lab.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { assetCommand } from "./need-assets.mjs";
import { formatSeconds, say } from "./say.mjs";

/** Lines that come every few seconds while something long runs. */
const FREQUENT = /packages compiled|modules fetched|MiB of /;
const FREQUENT_EVERY_MS = 30_000;

/** Which lines of a build are worth a line of somebody else's output: all but most of the frequent ones. */
export function thinOut(everyMs = FREQUENT_EVERY_MS) {
  let shownAtMs = Number.NEGATIVE_INFINITY;
  return (line, nowMs) => {
    if (!FREQUENT.test(line)) return line.trim() !== "";
    if (nowMs - shownAtMs < everyMs) return false;
    shownAtMs = nowMs;
    return true;
  };
}

/** A build that has nothing to do ends well before this without a word. */
const QUIET_MS = 5000;

/**
 * Starts the build at low priority; it ends with this process, and goes on from there the next time. Where nothing is to be
 * built, nothing is said.
 * @param where as for needAssets.
 * @returns a promise of whether the image is there now; it never rejects: what is served meanwhile goes on.
 */
export function buildInBackground(where, archs, variants = ["full"]) {
  const what = `Slipway OS (${variants.join(", ")}) for ${archs.join(" and ")}`;
  return followBuild(what, assetCommand(where, archs, variants));
}

/** @param quietMs after this time a build without a word is told of, too. */
export function followBuild(what, [command, ...args], { tell = say, quietMs = QUIET_MS } = {}) {
  const startedAt = Date.now();
  const child = spawn("nice", ["-n", "10", command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  let isAnnounced = false;
  const announce = () => {
    if (isAnnounced) return;
    isAnnounced = true;
    tell(
      `${what} is being built; until then the base image is served: machines netboot, enrol and are approved with it,`,
    );
    tell("clusters and installs wait for the full one. Compiling Kubernetes takes 10 to 30 minutes the first time");
  };
  const timer = setTimeout(announce, quietMs);
  const isShown = thinOut();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      if (!isShown(line, Date.now())) return;
      announce();
      tell(`(in the background) ${line}`);
    });
  }
  return new Promise((resolve) => {
    const done = (isThere, text) => {
      clearTimeout(timer);
      process.removeListener("exit", end);
      if (isAnnounced || !isThere) tell(text);
      resolve(isThere);
    };
    child.once("error", (cause) => done(false, `${what} is not built: ${cause.message}`));
    child.once("close", (code) => {
      const seconds = formatSeconds((Date.now() - startedAt) / 1000);
      if (code === 0) done(true, `${what} is there after ${seconds}; machines get it from now on`);
      else
        done(
          false,
          `${what} is not built (${code ?? "ended by a signal"}); the lines above say why. \`npm run assets\` goes on from there`,
        );
    });
  });
}
