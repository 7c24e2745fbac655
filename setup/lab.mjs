// `npm run lab -- …`: a rack of machines with real firmware; test/lab/run-lab.ts says which options there are.
import { needHost } from "./need-host.mjs";
import { needNodeModules } from "./need-node-modules.mjs";
import { main } from "./say.mjs";
import { startLab } from "./start-lab.mjs";

await main(async () => {
  needHost();
  await needNodeModules();
  return startLab(process.argv.slice(2));
});
