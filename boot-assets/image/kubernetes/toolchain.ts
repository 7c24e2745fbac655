// The Go toolchain that compiles: the pinned one, fetched as a module by whatever Go there is, checked against the sum in
// versions.ts. A host whose own Go has the same version fetches it all the same: distributions patch theirs, and the two
// must not give different programs. Called by build.ts.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../../server/contract/errors.ts";
import type { Progress } from "../progress.ts";
import { fetchEnvironment, toolchainModule } from "./go-command.ts";
import { type Go, runGo } from "./run-go.ts";
import { type BuildHost, TOOLCHAIN } from "./versions.ts";

const NODE_ARCH: Record<string, string> = { x64: "amd64", arm64: "arm64" };

/** "linux-amd64"; only these hosts have a pinned sum. @throws SlipwayError COMMAND_FAILED */
export function buildHostOf(platform: string, arch: string): BuildHost {
  const host = `${platform}-${NODE_ARCH[arch] ?? arch}`;
  const known = Object.keys(TOOLCHAIN.sums) as BuildHost[];
  const found = known.find((each) => each === host);
  if (found !== undefined) return found;
  throw new SlipwayError("COMMAND_FAILED", `this host is ${host}; Kubernetes is built on ${known.join(" or ")}`, {
    remedy: "Build on such a machine; what comes out is the same on each.",
  });
}

/**
 * What Go itself does when it switches toolchains, because zip files of modules carry no x bit and no go.mod in folders.
 *
 * @see go help toolchain; golang.org/ref/mod (module zip files)
 */
export function prepareToolchain(dir: string): void {
  for (const programs of [join(dir, "bin"), ...directoriesIn(join(dir, "pkg/tool"))]) {
    for (const name of readdirSync(programs)) chmodSync(join(programs, name), 0o555);
  }
  for (const folder of ["src", "src/cmd", "misc"]) {
    const hidden = join(dir, folder, "_go.mod");
    if (existsSync(hidden)) copyFileSync(hidden, join(dir, folder, "go.mod"));
  }
}

const directoriesIn = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(dir, entry.name));

/**
 * Fetches the toolchain into `<goDir>/mod`, once.
 *
 * @param starter from findGo.
 * @throws SlipwayError COMMAND_FAILED when it cannot be fetched; ASSET_DAMAGED when it is not the pinned one.
 */
export async function openToolchain(starter: Go, goDir: string, progress: Progress, niceness: number): Promise<Go> {
  const host = buildHostOf(process.platform, process.arch);
  const name = toolchainModule(host);
  // A directory without go.mod: in the module's own, an older Go would refuse its `go` line before it fetches anything.
  const cwd = join(goDir, "empty");
  mkdirSync(cwd, { recursive: true });
  progress.say(`Go ${TOOLCHAIN.version}: fetching the toolchain, unless it is there`);
  const env = fetchEnvironment(process.env, goDir);
  const args = ["mod", "download", "-json", name];
  const { Dir, Sum } = JSON.parse(await runGo({ go: starter, args, cwd, env, niceness })) as Record<string, string>;
  if (Dir === undefined || Sum !== TOOLCHAIN.sums[host]) {
    throw new SlipwayError("ASSET_DAMAGED", `${name} has the sum ${Sum}, expected ${TOOLCHAIN.sums[host]}`, {
      remedy: `The module proxy served another toolchain than the pinned one. Remove ${goDir} and build again from another network.`,
    });
  }
  prepareToolchain(Dir);
  return { command: [join(Dir, "bin/go")], env: {} };
}
