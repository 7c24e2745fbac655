// `npm run assets -- …`: Slipway OS and the iPXE loaders, built and signed; server/appliance/run-build-assets.ts says which
// options there are. Plain JavaScript: Debian 12's own Node runs it.
import { join } from "node:path";
import { needHost } from "./need-host.mjs";
import { needNodeModules } from "./need-node-modules.mjs";
import { NODE, ROOT, runProgram } from "./run-program.mjs";
import { main } from "./say.mjs";

await main(async () => {
  needHost();
  await needNodeModules();
  return runProgram(NODE, [join(ROOT, "server/appliance/run-build-assets.ts"), ...process.argv.slice(2)]);
});
