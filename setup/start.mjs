// `npm start`: the appliance with a lab machine that netboots into it. `npm start -- --interface eth1` or `--config FILE`:
// the appliance on a real network. Sets up what is missing first. Plain JavaScript: Debian 12's own Node runs it.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildInBackground } from "./background-assets.mjs";
import { dataDirOf, needAssets } from "./need-assets.mjs";
import { needHost } from "./need-host.mjs";
import { needNodeModules } from "./need-node-modules.mjs";
import { runAsRoot } from "./need-root.mjs";
import { NODE, ROOT } from "./run-program.mjs";
import { main } from "./say.mjs";
import { startLab } from "./start-lab.mjs";

/** Names after `--interface` that this machine does not have. */
function missingInterfaces(args) {
  const named = args.flatMap((arg, index) => {
    if (arg.startsWith("--interface=")) return [arg.slice("--interface=".length)];
    const option = args.slice(0, index).findLast((earlier) => earlier.startsWith("--"));
    return option === "--interface" && !arg.startsWith("--") ? [arg] : [];
  });
  return named.filter((name) => !existsSync(join("/sys/class/net", name)));
}

/** The appliance on a real network. */
async function serve(args) {
  const at = args.findIndex((arg) => arg === "--config" || arg.startsWith("--config="));
  const named = at < 0 ? undefined : (/=(.*)/.exec(args[at])?.[1] ?? args[at + 1]);
  const standard = join(ROOT, "slipway.yaml");
  const configFile = named !== undefined ? resolve(named) : existsSync(standard) ? standard : undefined;
  const dataDir = configFile === undefined ? join(ROOT, "data") : dataDirOf(configFile);
  // With faults in the settings file, or no such interface, nobody shall wait for a build: the appliance names them all.
  if (dataDir !== undefined && missingInterfaces(args).length === 0) {
    const where = { dataDir, configFile };
    await needAssets(where, ["amd64", "arm64"]);
    // amd64 first: most machines are, and each architecture is a compilation of its own.
    void buildInBackground(where, ["amd64"]).then((isThere) => isThere && buildInBackground(where, ["arm64"]));
  }
  const cli = [join(ROOT, "server/cli/main.ts"), "serve", ...args];
  return runAsRoot("to serve DHCP and TFTP", NODE, cli, { cwd: process.cwd() });
}

await main(async () => {
  const args = process.argv.slice(2);
  needHost();
  await needNodeModules();
  const isReal = args.some((arg) => /^--(interface|config)(=|$)/.test(arg));
  return isReal ? serve(args) : startLab(["--keep", "--start", ...args]);
});
