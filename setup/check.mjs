// `npm run check`: types, lint, quick tests. The one command before a push; needs neither root nor a virtual machine.

import { needNodeModules } from "./need-node-modules.mjs";
import { CHECKS, runAll } from "./runs.mjs";
import { main } from "./say.mjs";

await main(async () => {
  await needNodeModules();
  return runAll(CHECKS);
});
