// `npm test`: everything. Types, lint, quick tests, then, as root, integration tests in namespaces and one boot per
// firmware. Sets up what is missing first. The last line is `N passed, N failed`.
import { dirname, join } from "node:path";
import { needAssets } from "./need-assets.mjs";
import { needHost } from "./need-host.mjs";
import { needNodeModules } from "./need-node-modules.mjs";
import { needPackages } from "./need-packages.mjs";
import { isRoot } from "./need-root.mjs";
import { closedDirectory, isAtSecondPlace, runWhereOthersSee } from "./open-to-others.mjs";
import { ROOT } from "./run-program.mjs";
import { CHECKS, NEEDS_ROOT, runAll } from "./runs.mjs";
import { EXIT_ENVIRONMENT, main, say } from "./say.mjs";

await main(async () => {
  needHost();
  await needNodeModules();
  if (isRoot()) {
    const closed = isAtSecondPlace() ? undefined : closedDirectory(dirname(ROOT));
    if (closed !== undefined) return runWhereOthersSee(closed, "setup/test.mjs", process.argv.slice(2));
    await needPackages("lab", "tests");
    const where = { dataDir: join(ROOT, "data") };
    // Firmware tests boot the base image; clusters are amd64, and only that is compiled for them.
    await needAssets(where, ["amd64", "arm64"], ["base"]);
    await needAssets(where, ["amd64"], ["full"]);
    return runAll([...CHECKS, ...NEEDS_ROOT]);
  }
  const code = await runAll(CHECKS);
  for (const { name } of NEEDS_ROOT) say(`NOT RUN: ${name}`);
  say("these need root (network namespaces, virtual machines on a bridge): sudo npm test");
  // What was not run has not passed.
  return code === 0 ? EXIT_ENVIRONMENT : code;
});
