// Fetches the modules and compiles them, with a line every ten seconds. Broken off, it goes on where it was: Go keeps each
// module and each compiled package below the cache directory. Called by build.ts.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../../server/contract/errors.ts";
import type { Arch } from "../packages.ts";
import type { Progress } from "../progress.ts";
import { buildArguments, buildEnvironment, listArguments } from "./go-command.ts";
import { PROGRAMS } from "./programs.ts";
import { type Go, runGo } from "./run-go.ts";

const SAY_EVERY_MS = 10_000;

export type CompileInput = {
  arch: Arch;
  /** Of the Go module. */
  moduleDir: string;
  /** Modules and compiled packages are kept here. */
  goDir: string;
  toolchain: Go;
  progress: Progress;
  niceness: number;
  jobs: number | undefined;
};

/** "3 min 5 s" */
export const duration = (ms: number): string => {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
};

/** "Kubernetes, amd64: 812 packages compiled, at most 1579 left, 3 min 5 s": an earlier run's are kept, uncounted. Pure. */
export const compileLine = (arch: Arch, done: number, total: number, elapsedMs: number): string =>
  `Kubernetes, ${arch}: ${done} packages compiled, at most ${Math.max(0, total - done)} left, ${duration(elapsedMs)}`;

/** Calls `say` every ten seconds until `work` has ended. */
async function withTicks<T>(say: () => void, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(say, SAY_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Fetches what is missing. @returns the number of packages that the programs are made of. */
async function fetchModules(input: CompileInput): Promise<number> {
  const { arch, moduleDir, goDir, toolchain, progress, niceness } = input;
  const startedMs = Date.now();
  let modules = 0;
  const say = () =>
    progress.say(`Kubernetes, ${arch}: ${modules} modules fetched, ${duration(Date.now() - startedMs)}`);
  const list = await withTicks(say, () =>
    runGo({
      go: toolchain,
      args: listArguments(),
      cwd: moduleDir,
      env: buildEnvironment(process.env, goDir, arch, "fetch"),
      niceness,
      onMessage: (line) => {
        if (line.startsWith("go: downloading ")) modules += 1;
      },
    }),
  );
  if (modules > 0) say();
  return list.trim().split("\n").length;
}

/**
 * Compiles all programs for one architecture.
 *
 * @returns their bytes by the name that `go build` gives them.
 * @throws SlipwayError COMMAND_FAILED with what Go said; INTERNAL when a program names a directory of this host.
 */
export async function compilePrograms(input: CompileInput): Promise<Map<string, Uint8Array>> {
  const { arch, moduleDir, goDir, toolchain, progress, niceness, jobs } = input;
  const total = await fetchModules(input);
  const outDir = join(goDir, `out-${arch}-${process.pid}`);
  mkdirSync(outDir, { recursive: true });
  const startedMs = Date.now();
  let done = 0;
  const say = () => progress.say(compileLine(arch, done, total, Date.now() - startedMs));
  try {
    await withTicks(say, () =>
      runGo({
        go: toolchain,
        args: buildArguments(outDir, jobs),
        cwd: moduleDir,
        env: buildEnvironment(process.env, goDir, arch, "compile"),
        niceness,
        onMessage: () => {
          done += 1;
        },
      }),
    );
    say();
    const programs = PROGRAMS.map(({ target }) => [target, readFileSync(join(outDir, target))] as const);
    for (const [target, bytes] of programs) assertNoHostPath(target, bytes, [goDir, moduleDir]);
    return new Map(programs);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

/** A path of the building host in a program makes two hosts' images differ, and tells about the host. */
export function assertNoHostPath(program: string, bytes: Uint8Array, paths: readonly string[]): void {
  const found = paths.find((path) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(path));
  if (found === undefined) return;
  throw new SlipwayError("INTERNAL", `the program ${program} holds the path ${found} of this host`, {
    remedy: "go-command.ts must trim it: -trimpath, and no -X variable with a path.",
  });
}
