// `node boot-assets/image/build.ts --arch amd64,arm64 --out DIR [--locked] [--variant base,full]`, and buildAssets() for
// `npm run assets` and `npm start`: locked packages → images with manifests, and the iPXE binaries. Does nothing, in under
// a second, when what is there was made from the same inputs.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundleAgentFile } from "../../node-agent/run-bundle.ts";
import { SlipwayError } from "../../server/contract/errors.ts";
import { bundledParts } from "./bill-of-materials.ts";
import { assertAllowed, bodyKey, needBody } from "./body.ts";
import { cacheDirOf, lockCache } from "./cache.ts";
import { fetchPackages, type Locks } from "./fetch-packages.ts";
import { hashWithOwn } from "./inputs.ts";
import { readIpxeFiles } from "./ipxe-files.ts";
import { buildKubernetes, type KubernetesBuild, openTools } from "./kubernetes/build.ts";
import { certificatesTree } from "./kubernetes/certificates.ts";
import { findBuilt, forgetOldBuilds, keepBuilt, publish } from "./output.ts";
import { packImage } from "./pack.ts";
import { ARCHES, type Arch, VARIANTS, type Variant } from "./packages.ts";
import { openProgress, type Progress } from "./progress.ts";
import { composeOwn } from "./root-tree.ts";
import { openBuildTools, type Toolbox } from "./tools.ts";

const REPOSITORY = join(import.meta.dirname, "../..");

export type BuildOptions = {
  arches: readonly Arch[];
  variant: Variant;
  /** <assetsDir>; see boot-assets/manifest.ts for what lies in it. */
  outDir: string;
  cacheDir: string;
  /** Refuse to build from anything but the committed lock. */
  isLocked: boolean;
  progress: Progress;
};
/** `changed` names the directories below outDir that are new. */
export type BuildResult = { kind: "unchanged" } | { kind: "built"; changed: string[] };

type Context = BuildOptions & { version: string; agent: Uint8Array; locks: Locks; tools: Toolbox };

const versionOfNpm = (name: string): string =>
  (JSON.parse(readFileSync(join(REPOSITORY, "node_modules", name, "package.json"), "utf8")) as { version: string })
    .version;

/** One architecture's image, in the cache. */
async function needImage(arch: Arch, kubernetes: KubernetesBuild | undefined, context: Context): Promise<string> {
  const { cacheDir, progress, variant, version, agent, tools } = context;
  const startedMs = Date.now();
  const body = { ...context, arch, kubernetes };
  const own = composeOwn(agent);
  const builtFrom = hashWithOwn(bodyKey(body), own);
  const prefix = `${arch}-${variant}-`;
  const key = prefix + builtFrom;
  const found = findBuilt(cacheDir, key);
  if (found !== undefined) return found;
  const workDir = join(cacheDir, "work", `${arch}-${variant}-${process.pid}`);
  try {
    assertAllowed([own], body);
    const bodyDir = await needBody(body, workDir);
    const agentParts = bundledParts(Buffer.from(agent).toString(), versionOfNpm);
    const files = await packImage({
      arch,
      version,
      variant,
      body: bodyDir,
      own,
      agentParts,
      builtFrom,
      tools,
      workDir,
    });
    for (const [name, bytes] of files) progress.say(`${arch} ${variant}: ${name} ${bytes.length} bytes`);
    progress.say(`${arch} ${variant}: done in ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
    const built = keepBuilt(cacheDir, key, files);
    forgetOldBuilds(cacheDir, prefix, key);
    return built;
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}

/** Before the image build's own lock is taken: it takes minutes, and other images may be built meanwhile. */
async function needKubernetes({ arches, variant, cacheDir, progress }: BuildOptions) {
  const built = new Map<Arch, KubernetesBuild>();
  if (variant !== "full") return built;
  const tools = await openTools(cacheDir, progress);
  for (const arch of arches) built.set(arch, await buildKubernetes({ arch, cacheDir, tools, progress }));
  return built;
}

async function placeIpxe(context: Context): Promise<boolean> {
  const row = context.locks.tools.packages.find(({ name }) => name === "ipxe")!;
  const key = `ipxe-${row.sha256.slice(0, 16)}`;
  const built =
    findBuilt(context.cacheDir, key) ??
    keepBuilt(context.cacheDir, key, await readIpxeFiles(context.cacheDir, context.locks.tools));
  return publish(built, join(context.outDir, "ipxe"), "ipxe.json");
}

/** Downloads, tools and loaders, under the lock that guards what all builds share: seconds when they are there. */
async function prepare(options: BuildOptions): Promise<{ context: Context; isIpxeNew: boolean }> {
  const { cacheDir, variant, outDir, progress } = options;
  const unlock = await lockCache(cacheDir, progress);
  try {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as { version: string };
    const locks = await fetchPackages(options);
    const tools = await openBuildTools(cacheDir, locks.tools, variant);
    const context: Context = { ...options, version, agent: await bundleAgentFile(), locks, tools };
    mkdirSync(join(outDir, "images"), { recursive: true });
    return { context, isIpxeNew: await placeIpxe(context) };
  } finally {
    unlock();
  }
}

/** What full has more than base: the compiled programs, and the authorities that their pulls are checked by. */
async function withCertificates(arch: Arch, kubernetes: KubernetesBuild | undefined, { cacheDir, locks }: Context) {
  if (kubernetes === undefined) return undefined;
  return { ...kubernetes, files: new Map([...kubernetes.files, ...(await certificatesTree(cacheDir, locks[arch]))]) };
}

/** One image under a lock of its own: nobody with a new agent waits while another architecture or variant is packed. */
async function placeImage(arch: Arch, kubernetes: KubernetesBuild | undefined, context: Context): Promise<string[]> {
  const kind = `${arch}-${context.variant}`;
  const unlock = await lockCache(join(context.cacheDir, "locks", kind), context.progress);
  try {
    const built = await needImage(arch, await withCertificates(arch, kubernetes, context), context);
    return publish(built, join(context.outDir, "images", kind), "manifest.json") ? [`images/${kind}`] : [];
  } finally {
    unlock();
  }
}

/**
 * Builds what is missing and puts all of it below `outDir`. Unsigned: signImage() is called by whoever has the owner's key.
 *
 * @throws SlipwayError COMMAND_FAILED: the mirror or a tool; INTERNAL: the recipe does not hold (a library, an executable).
 */
export async function buildAssets(options: BuildOptions): Promise<BuildResult> {
  const kubernetes = await needKubernetes(options);
  const { context, isIpxeNew } = await prepare(options);
  const changed = isIpxeNew ? ["ipxe"] : [];
  for (const arch of options.arches) changed.push(...(await placeImage(arch, kubernetes.get(arch), context)));
  return changed.length === 0 ? { kind: "unchanged" } : { kind: "built", changed };
}

/**
 * Signs an image's manifest for one appliance: `manifest.sig`, 64 bytes, over the exact bytes of manifest.json.
 *
 * @param dir `<assetsDir>/images/<arch>-<variant>`.
 * @param sign Ed25519 with the owner's key (the secrets store's signManifest).
 */
export function signImage(dir: string, sign: (manifest: Uint8Array) => Uint8Array): void {
  const signature = sign(readFileSync(join(dir, "manifest.json")));
  const file = join(dir, "manifest.sig");
  rmSync(file, { force: true });
  writeFileSync(file, signature, { mode: 0o444 });
}

/** A list option ("amd64,arm64") whose members are checked against a table. */
function listOf<T extends string>(name: string, text: string, known: readonly T[]): T[] {
  return text.split(",").map((each) => {
    const found = known.find((one) => one === each);
    if (found === undefined) {
      throw new SlipwayError("BAD_REQUEST", `--${name}: ${JSON.stringify(each)} is not one of ${known.join(", ")}`);
    }
    return found;
  });
}

async function main(): Promise<void> {
  const cacheDir = cacheDirOf(process.env);
  const { values } = parseArgs({
    options: {
      arch: { type: "string", default: ARCHES.join(",") },
      variant: { type: "string", default: "base" },
      out: { type: "string", default: join(cacheDir, "assets") },
      locked: { type: "boolean", default: false },
    },
  });
  const progress = openProgress(process.stderr);
  for (const variant of listOf("variant", values.variant, VARIANTS)) {
    const arches = listOf("arch", values.arch, ARCHES);
    const result = await buildAssets({
      arches,
      variant,
      outDir: values.out,
      cacheDir,
      isLocked: values.locked,
      progress,
    });
    progress.say(
      result.kind === "unchanged" ? `${values.out} is up to date` : `${values.out}: new ${result.changed.join(", ")}`,
    );
  }
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    if (!(error instanceof SlipwayError)) throw error;
    process.stderr.write(`${error.message}\n${error.remedy}\n`);
    process.exitCode = 1;
  });
}
