// The OS images and iPXE binaries, built and signed when they are not there or not from the present sources. The work itself
// is server/appliance/run-build-assets.ts (`npm run assets`); it does nothing, in about a second, when nothing has changed.
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { runAsRoot } from "./need-root.mjs";
import { assertDone, NODE, ROOT, runProgram } from "./run-program.mjs";
import { step } from "./say.mjs";

const READ_DATA_DIR = `import { readConfig } from "${ROOT}/server/config/read-config.ts";
try { console.log(readConfig({ file: process.argv[1] }).dataDir); } catch { process.exit(2); }`;

/**
 * The dataDir of a settings file, as the appliance itself reads it.
 * @returns undefined when the file has faults: the appliance then names them all, better than the set-up could.
 */
export function dataDirOf(configFile) {
  try {
    const args = ["--input-type=module-typescript", "-e", READ_DATA_DIR, configFile];
    return execFileSync(NODE, args, { cwd: process.cwd(), stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

/** Whether we may write there, or make it. */
function isWritable(directory) {
  const there = existsSync(directory) ? directory : dirname(directory);
  if (!existsSync(there)) return isWritable(there);
  try {
    accessSync(there, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const buildArguments = ({ dataDir, configFile }, archs, variants) => [
  join(ROOT, "server/appliance/run-build-assets.ts"),
  ...["--arch", archs.join(","), "--variant", variants.join(",")],
  ...(configFile ? ["--config", configFile] : ["--data-dir", dataDir]),
];

/** The build as a command for somebody who cannot be asked for a password. After `sudo npm start` dataDir is root's. */
export const assetCommand = (where, archs, variants) => [
  ...(isWritable(join(where.dataDir, "assets")) ? [] : ["sudo", "-n"]),
  NODE,
  ...buildArguments(where, archs, variants),
];

/**
 * Builds what is missing below a dataDir.
 * @param where `dataDir`, and the settings file that named it, if one did: it also says where the owner's identity is.
 * @param archs Debian's names: amd64, arm64.
 * @param variants `base` is there in a minute or two; `full` compiles Kubernetes on the first run (background-assets.mjs).
 */
export async function needAssets(where, archs, variants = ["base"]) {
  const { dataDir } = where;
  const build = buildArguments(where, archs, variants);
  const what = `Slipway OS (${variants.join(", ")}) for ${archs.join(" and ")}, and the iPXE loaders`;
  await step(what, async () => {
    const code = isWritable(join(dataDir, "assets"))
      ? await runProgram(NODE, build)
      : await runAsRoot(`to write to ${dataDir}`, NODE, build);
    assertDone(code, "the assets were not built", "The lines above say why; `npm run assets` tries again.");
  });
}
