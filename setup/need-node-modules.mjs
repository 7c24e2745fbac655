// node_modules as package-lock.json says, by `npm ci`, and only when it is not so already. No package's install script runs.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NODE, ROOT, runStep } from "./run-program.mjs";
import { step } from "./say.mjs";

const STAMP = join(ROOT, "node_modules", ".slipway-installed-from");

/** What node_modules was, or should be, installed from. */
function wanted() {
  const hash = createHash("sha256");
  for (const file of ["package.json", "package-lock.json"]) hash.update(readFileSync(join(ROOT, file)));
  return hash.digest("hex");
}

const installed = () => (existsSync(STAMP) && existsSync(NODE) ? readFileSync(STAMP, "utf8").trim() : undefined);

/**
 * Under sudo the clone still belongs to its owner: npm runs as that user, so that their own next `git pull` and
 * `npm ci` find no files of root's.
 */
export function asOwner(environment = process.env) {
  const { uid, gid } = statSync(ROOT);
  if (process.getuid() !== 0 || uid === 0) return { env: environment };
  const home = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(uid))?.[5];
  // npm tells its children its own cache; root's is closed to the owner.
  const { npm_config_cache: _, ...env } = environment;
  return { uid, gid, env: { ...env, HOME: home ?? ROOT } };
}

/** Installs what package-lock.json names, unless it is there. */
export async function needNodeModules() {
  const want = wanted();
  if (installed() === want) return;
  // Under `npm start`, npm names its own program: the same npm installs, whatever PATH says.
  const npm = process.env.npm_execpath;
  const ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
  const options = {
    ...asOwner(),
    remedy: "npm's lines above say why; run the same command again when it is put right.",
  };
  await step("installing the npm packages that package-lock.json names", () =>
    npm?.endsWith(".js") ? runStep(process.execPath, [npm, ...ci], options) : runStep("npm", ci, options),
  );
  writeFileSync(STAMP, `${want}\n`);
}
