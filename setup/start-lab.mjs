// Prepares the host for the lab and starts it: `npm start` without an interface (start.mjs) and `npm run lab` (lab.mjs).
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildInBackground } from "./background-assets.mjs";
import { needAssets } from "./need-assets.mjs";
import { needPackages } from "./need-packages.mjs";
import { runAsRoot } from "./need-root.mjs";
import { NODE, ROOT, runProgram } from "./run-program.mjs";
import { say } from "./say.mjs";

const OPTIONS = {
  "data-dir": { type: "string" },
  firmware: { type: "string", default: "uefi" },
  cluster: { type: "string" },
  vm: { type: "boolean" },
};

/**
 * What of the options concerns the set-up; check-lab.ts has judged them all.
 * @returns `dataDir`: the one that a person named, else undefined; `archs` and `variants` that the lab needs.
 */
export function planLab(args) {
  const { values } = parseArgs({ args, strict: false, options: OPTIONS });
  const { cluster, vm, firmware, "data-dir": named } = values;
  const archOf = (name) => (name === "arm64" ? "arm64" : "amd64");
  const isOfContainers = cluster !== undefined && !vm;
  return {
    dataDir: typeof named === "string" ? resolve(ROOT, named) : undefined,
    // A newcomer waits for one architecture only, and for the small image.
    archs: isOfContainers ? ["amd64"] : [...new Set(String(firmware).split(",").map(archOf))],
    variants: cluster === undefined ? ["base"] : ["base", "full"],
  };
}

/** @param args what test/lab/run-lab.ts takes. @returns the lab's exit code. */
export async function startLab(args) {
  const code = await runProgram(NODE, [join(ROOT, "test/lab/check-lab.ts"), ...args]);
  if (code !== 0 || args.includes("--help") || args.includes("-h")) return code;
  await needPackages("lab");
  const { dataDir: named, archs, variants } = planLab(args);
  const where = { dataDir: named ?? join(ROOT, "data") };
  if (named === undefined) for (const variant of variants) await needAssets(where, archs, [variant]);
  if (args.includes("--start") && !variants.includes("full")) void buildInBackground(where, ["amd64"]);
  say("the lab is a network of its own (namespaces); nothing on this machine's networks sees it");
  const run = [join(ROOT, "test/lab/run-lab.ts"), "--data-dir", where.dataDir, ...args];
  return runAsRoot("to make the lab's network", NODE, run);
}
