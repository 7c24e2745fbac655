// buildKubernetes(): the programs of Kubernetes and the two container images that a node needs, for one architecture. The
// image recipe calls it; `node boot-assets/image/kubernetes/build.ts --arch amd64` builds alone. The first build takes
// minutes and says how far it is; the same sources again take none.
import { chmodSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { cacheDirOf, lockCache } from "../cache.ts";
import { fetchPackages } from "../fetch-packages.ts";
import { findBuilt, forgetOldBuilds, keepBuilt } from "../output.ts";
import { ARCHES, type Arch } from "../packages.ts";
import { openProgress, type Progress } from "../progress.ts";
import { openBuildTools, type Toolbox } from "../tools.ts";
import type { Tree } from "../tree.ts";
import { compilePrograms, duration } from "./compile.ts";
import { kubernetesTree } from "./files.ts";
import { findGo } from "./find-go.ts";
import { pauseArchive, programArchive } from "./images.ts";
import { hashSources, readSources } from "./key.ts";
import { assemblePause } from "./pause.ts";
import { PROGRAMS } from "./programs.ts";
import { openToolchain } from "./toolchain.ts";

export type KubernetesOptions = {
  arch: Arch;
  cacheDir: string;
  tools: Toolbox;
  progress: Progress;
  /** As in nice(1); the compiler must not slow down an appliance on the same host. */
  niceness?: number;
  /** Packages compiled at once; without it one for each processor. */
  jobs?: number;
};
export type KubernetesBuild = {
  kind: "built" | "unchanged";
  /** What was built, by its sources: part of the image's own key. */
  key: string;
  /** Directory of the program files, below the cache. */
  dir: string;
  /** Programs, links and image archives: to be added to the root file system. */
  files: Tree;
};

const MODULE_DIR = import.meta.dirname;
const DEFAULT_NICENESS = 10;

/** The key of what would be built now, without building it. Milliseconds. */
export const kubernetesKey = (arch: Arch): string => hashSources(arch, readSources(MODULE_DIR));

async function compile(options: KubernetesOptions, goDir: string): Promise<Map<string, Uint8Array>> {
  const { arch, tools, progress, jobs, niceness = DEFAULT_NICENESS } = options;
  const starter = findGo(process.env.PATH ?? "", tools);
  const toolchain = await openToolchain(starter, goDir, progress, niceness);
  progress.say(
    `Kubernetes, ${arch}: compiling with ${jobs ?? availableParallelism()} jobs; the first time takes 10 to 30 minutes`,
  );
  return compilePrograms({ arch, moduleDir: MODULE_DIR, goDir, toolchain, progress, niceness, jobs });
}

/**
 * Compiles what is not compiled yet.
 *
 * @throws SlipwayError COMMAND_FAILED: no Go, no module, or a compile error; ASSET_DAMAGED: not the pinned toolchain;
 *   INTERNAL: a program names a path of this host.
 */
export async function buildKubernetes(options: KubernetesOptions): Promise<KubernetesBuild> {
  const { arch, cacheDir, tools, progress } = options;
  const goDir = join(cacheDir, "go");
  const unlock = await lockCache(goDir, progress);
  try {
    const prefix = `kubernetes-${arch}-`;
    const key = prefix + kubernetesKey(arch);
    const startedMs = Date.now();
    const found = findBuilt(cacheDir, key);
    const dir = found ?? keepBuilt(cacheDir, key, await compile(options, goDir));
    if (found === undefined) progress.say(`Kubernetes, ${arch}: built in ${duration(Date.now() - startedMs)}`);
    forgetOldBuilds(cacheDir, prefix, key);
    // Runnable where they lie: a person's kubectl is one of them (any name will do as argv[0]).
    for (const { target } of PROGRAMS) chmodSync(join(dir, target), 0o555);
    const programs = new Map(PROGRAMS.map(({ target }) => [target, readFileSync(join(dir, target))]));
    const pause = await assemblePause(arch, tools, join(goDir, `pause-${arch}-${process.pid}`));
    const archives = new Map([
      ["pause.tar", pauseArchive(arch, pause)],
      ["program.tar", programArchive(arch)],
    ]);
    return {
      kind: found === undefined ? "built" : "unchanged",
      key,
      dir,
      files: kubernetesTree(programs, archives),
    };
  } finally {
    unlock();
  }
}

/** The locked build tools alone, for a build without an image. */
export async function openTools(cacheDir: string, progress: Progress): Promise<Toolbox> {
  const unlock = await lockCache(cacheDir, progress);
  try {
    const locks = await fetchPackages({ arches: [], variant: "full", cacheDir, isLocked: false, progress });
    return await openBuildTools(cacheDir, locks.tools, "full");
  } finally {
    unlock();
  }
}

function archesOf(text: string): Arch[] {
  return text.split(",").map((each) => {
    const found = ARCHES.find((arch) => arch === each);
    if (found !== undefined) return found;
    throw new SlipwayError("BAD_REQUEST", `--arch: ${JSON.stringify(each)} is not one of ${ARCHES.join(", ")}`);
  });
}

function countOf(name: string, text: string | undefined, [least, most]: [number, number]): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SlipwayError("BAD_REQUEST", `--${name}: ${JSON.stringify(text)} is no number from ${least} to ${most}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      arch: { type: "string", default: ARCHES.join(",") },
      jobs: { type: "string" },
      nice: { type: "string" },
    },
  });
  const arches = archesOf(values.arch);
  const jobs = countOf("jobs", values.jobs, [1, 1024]);
  const niceness = countOf("nice", values.nice, [0, 19]);
  const cacheDir = cacheDirOf(process.env);
  const progress = openProgress(process.stderr);
  const tools = await openTools(cacheDir, progress);
  for (const arch of arches) {
    const options = { arch, cacheDir, tools, progress };
    const built = await buildKubernetes({
      ...options,
      ...(jobs === undefined ? {} : { jobs }),
      ...(niceness === undefined ? {} : { niceness }),
    });
    progress.say(`Kubernetes, ${arch}: ${built.kind}, in ${built.dir}`);
    for (const [path, entry] of built.files) {
      if (entry.kind === "file") progress.say(`  /${path} ${entry.bytes.length} bytes`);
    }
  }
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    if (!(error instanceof SlipwayError)) throw error;
    process.stderr.write(`${error.message}\n${error.remedy}\n`);
    process.exitCode = 1;
  });
}
