// `npm run assets`, and the set-up behind `npm start`: builds what is missing below dataDir/assets and signs every image with
// the owner's key, which is made here on the very first run. An image without this signature is not served.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildAssets, signImage } from "../../boot-assets/image/build.ts";
import { cacheDirOf } from "../../boot-assets/image/cache.ts";
import { ARCHES, VARIANTS } from "../../boot-assets/image/packages.ts";
import { openProgress } from "../../boot-assets/image/progress.ts";
import { readConfig } from "../config/read-config.ts";
import { ERRORS, SlipwayError } from "../contract/errors.ts";
import { openSecrets, type Secrets } from "../secrets/store.ts";

const HELP = `Builds Slipway OS and the iPXE loaders below dataDir/assets, and signs them. Does nothing when all is there.

  --config FILE      settings to take dataDir and identity from (default: ./slipway.yaml)
  --data-dir DIR     another dataDir
  --arch LIST        amd64,arm64 (default: both)
  --variant LIST     base,full (default: both, base first). full is a node of Kubernetes, which is compiled on the first
                     run: 10 to 30 minutes an architecture; base is the agent alone, for a quick start and firmware tests
  --locked           refuse to build from anything but the committed package lock

Examples:
  npm run assets
  npm run assets -- --arch amd64 --variant full --locked
`;

/** @returns the exit code. */
export async function runBuildAssets(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const overrides = values["data-dir"] === undefined ? {} : { dataDir: values["data-dir"] };
  const config = readConfig({ file: values.config, overrides });
  const outDir = join(config.dataDir, "assets");
  const progress = openProgress(process.stderr);
  // The key first: a missing identity must not cost the time of a build.
  const log = { info: (text: string) => progress.say(text), warn: (text: string) => progress.say(text) };
  const secrets = await openSecrets({ dataDir: config.dataDir, identityPath: config.identity, log });
  const arches = listOf("arch", values.arch, ARCHES);
  for (const variant of listOf("variant", values.variant, VARIANTS)) {
    const where = { outDir, cacheDir: cacheDirOf(process.env), progress };
    const result = await buildAssets({ ...where, arches, variant, isLocked: values.locked ?? false });
    // After each variant: an appliance that runs meanwhile serves the first while the next is built.
    const signed = signImages(join(outDir, "images"), secrets);
    for (const name of result.kind === "built" ? result.changed : []) progress.say(`built ${join(outDir, name)}`);
    for (const name of signed) progress.say(`signed ${join(outDir, "images", name)}`);
  }
  return 0;
}

const OPTIONS = {
  config: { type: "string" },
  "data-dir": { type: "string" },
  arch: { type: "string" },
  variant: { type: "string" },
  locked: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** Members of a list option in the table's order; all of them without the option. */
function listOf<T extends string>(option: string, text: string | undefined, known: readonly T[]): T[] {
  const named = text?.split(",") ?? [...known];
  const unknown = named.find((name) => !known.some((one) => one === name));
  if (unknown === undefined) return known.filter((one) => named.includes(one));
  throw new SlipwayError("BAD_REQUEST", `--${option}: must be of ${known.join(", ")}, found "${unknown}"`);
}

/** Signs what carries no valid signature of this owner. @returns the names of the images. */
function signImages(dir: string, secrets: Secrets): string[] {
  const unsigned = readdirSync(dir).filter((name) => !name.startsWith(".") && !isSigned(join(dir, name), secrets));
  for (const name of unsigned) signImage(join(dir, name), secrets.signManifest);
  return unsigned;
}

function isSigned(image: string, secrets: Secrets): boolean {
  const [manifest, signature] = [join(image, "manifest.json"), join(image, "manifest.sig")];
  return existsSync(signature) && secrets.isOwnersSignature(readFileSync(manifest), readFileSync(signature));
}

if (import.meta.main) {
  try {
    process.exitCode = await runBuildAssets(process.argv.slice(2));
  } catch (cause) {
    if (!(cause instanceof SlipwayError)) throw cause;
    process.stderr.write(`slipway: ${cause.message}\n  ${cause.remedy}\n`);
    process.exitCode = ERRORS[cause.code].exit;
  }
}
