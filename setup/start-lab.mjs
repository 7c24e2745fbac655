// Prepares the host for the lab and starts it: `npm start` without an interface (start.mjs) and `npm run lab` (lab.mjs).
import { join } from "node:path";
import { buildInBackground } from "./background-assets.mjs";
import { needAssets } from "./need-assets.mjs";
import { needPackages } from "./need-packages.mjs";
import { runAsRoot } from "./need-root.mjs";
import { NODE, ROOT } from "./run-program.mjs";
import { say } from "./say.mjs";

/** @param args what test/lab/run-lab.ts takes. @returns the lab's exit code. */
export async function startLab(args) {
  await needPackages("lab");
  const where = { dataDir: join(ROOT, "data") };
  // A newcomer waits for one architecture only, and for the small image.
  await needAssets(where, [args.some((arg) => arg.endsWith("arm64")) ? "arm64" : "amd64"]);
  if (args.some((arg) => arg.startsWith("--cluster"))) await needAssets(where, ["amd64"], ["full"]);
  else if (args.includes("--start")) void buildInBackground(where, ["amd64"]);
  say("the lab is a network of its own (namespaces); nothing on this machine's networks sees it");
  const run = [join(ROOT, "test/lab/run-lab.ts"), "--data-dir", join(ROOT, "data"), ...args];
  return runAsRoot("to make the lab's network", NODE, run);
}
