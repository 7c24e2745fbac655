// Which Go starts: any from 1.21 on will do, because it only fetches the pinned toolchain that then does the work. The
// system's if it is new enough, else Debian 13's from the locked build tools. Called by toolchain.ts.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { SlipwayError } from "../../../server/contract/errors.ts";
import type { Toolbox } from "../tools.ts";
import type { Go } from "./run-go.ts";

/** Places where a Go lies that is not on the PATH. */
const USUAL_PLACES = ["/usr/local/go/bin", "/usr/lib/go/bin"];
/** Of the package golang-1.24-go in the locked tools. */
const LOCKED_GO = "usr/lib/go-1.24";

/**
 * Whether a Go of this version can fetch a toolchain: 1.21 brought them. Debian 12's 1.19 cannot.
 *
 * @param text what `go version` prints.
 */
export function canFetchToolchain(text: string): boolean {
  const version = /\bgo(\d+)\.(\d+)/.exec(text);
  if (version === null) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > 1 || (major === 1 && minor >= 21);
}

/** What `go version` says there; undefined when it does not run. */
export function readGoVersion(file: string): string | undefined {
  try {
    const env = { PATH: "/usr/bin:/bin", HOME: "/nonexistent", GOTOOLCHAIN: "local", GOENV: "off" };
    return execFileSync(file, ["version"], { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

/** A static program: it needs nothing of the host's libraries, nor the loader of the locked ones. */
function lockedGo(tools: Toolbox | undefined): Go | undefined {
  if (tools === undefined || !existsSync(join(tools.dir, LOCKED_GO, "bin/go"))) return undefined;
  const goRoot = join(tools.dir, LOCKED_GO);
  return { command: [join(goRoot, "bin/go")], env: { GOROOT: goRoot } };
}

/**
 * The first Go that can fetch a toolchain.
 *
 * @param path the PATH of whoever builds.
 * @throws SlipwayError COMMAND_FAILED naming each that is too old.
 */
export function findGo(path: string, tools: Toolbox | undefined, versionOf = readGoVersion): Go {
  const places = [...path.split(delimiter).filter((place) => place !== ""), ...USUAL_PLACES];
  const tooOld: string[] = [];
  for (const file of new Set(places.map((place) => join(place, "go")))) {
    const version = versionOf(file);
    if (version === undefined) continue;
    if (canFetchToolchain(version)) return { command: [file], env: {} };
    tooOld.push(`${file} is ${version}`);
  }
  const locked = lockedGo(tools);
  if (locked !== undefined) return locked;
  const seen = tooOld.length === 0 ? "there is none on the PATH" : tooOld.join(", ");
  throw new SlipwayError("COMMAND_FAILED", `Kubernetes is built with Go, from 1.21 on; ${seen}`, {
    remedy: "Install Debian 13's golang-go, or put the bin directory of a newer Go on the PATH.",
  });
}
