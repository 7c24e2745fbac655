// What the Debian mirror offers, and from where: apt itself fetches and checks the indexes, in a private directory, so
// that no unsigned metadata is ever read and the host's own apt settings (mirror, proxy) hold. Called by lock.ts when a
// lock is written, and by download.ts for the mirror's address. No host name of a mirror is in this repository.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { SlipwayError } from "../../server/contract/errors.ts";
import { type Paragraph, parseDeb822 } from "./deb822.ts";

const run = promisify(execFile);
const MAX_BUFFER = 512 * 1024 * 1024;

/** Debian's archive has two trees; `security` is absent where the host does not use it. */
export type Archive = "debian" | "security";
export type Mirrors = { debian: string; security: string | undefined };
/** The release that Slipway OS is made of. */
export const RELEASE = "trixie";
const COMPONENTS = "main non-free-firmware";
/** Of package debian-archive-keyring, on every Debian. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** One target line of `apt-get indextargets` → its parts. */
const TARGET = "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ARCHITECTURE)|$(FILENAME)";
async function indexTargets(options: readonly string[]): Promise<string[][]> {
  const { stdout } = await run("apt-get", [...options, "indextargets", "--no-release-info", "--format", TARGET]);
  return stdout
    .split("\n")
    .map((line) => line.split("|"))
    .filter(([createdBy]) => createdBy === "Packages");
}

/** The Debian mirrors that this host's apt uses. */
export async function readHostMirrors(): Promise<Mirrors> {
  const targets = await indexTargets([]).catch((cause: unknown) => {
    throw new SlipwayError("COMMAND_FAILED", "apt-get indextargets failed; the image is built on Debian 12 or 13", {
      cause,
    });
  });
  const release = /^(bookworm|trixie|stable|oldstable)(-security|-updates)?$/;
  const find = (isSecurity: boolean) =>
    targets.find(
      ([, , suite, component]) =>
        component === "main" && release.test(suite!) && suite!.endsWith("-security") === isSecurity,
    )?.[1];
  const debian = find(false);
  if (debian === undefined) {
    throw new SlipwayError("COMMAND_FAILED", "apt on this host names no Debian mirror with component main", {
      remedy: "Add the Debian 12 or 13 mirror to /etc/apt/sources.list.d, as a Debian installation has it.",
    });
  }
  return { debian, security: find(true) };
}

function writePrivateConfig(dir: string, mirrors: Mirrors): string[] {
  for (const path of ["lists/partial", "cache/archives/partial", "etc"])
    mkdirSync(join(dir, path), { recursive: true });
  writeFileSync(join(dir, "status"), "");
  const line = (uri: string, suite: string) =>
    `deb [arch=amd64,arm64 signed-by=${KEYRING}] ${uri} ${suite} ${COMPONENTS}\n`;
  const security = mirrors.security === undefined ? "" : line(mirrors.security, `${RELEASE}-security`);
  writeFileSync(join(dir, "etc/sources.list"), line(mirrors.debian, RELEASE) + security);
  // Read after the host's own settings: its hooks are for its own packages, its laxness is not for us.
  const settings = `#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Pre-Invoke;
#clear Acquire::IndexTargets::deb::DEP-11;
Dir::State "${dir}"; Dir::State::lists "${dir}/lists"; Dir::State::status "${dir}/status";
Dir::Cache "${dir}/cache"; Dir::Etc "${dir}/etc"; Dir::Etc::sourcelist "${dir}/etc/sources.list"; Dir::Etc::sourceparts "/dev/null";
APT::Architecture "amd64"; APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root"; APT::Update::Error-Mode "any";
Acquire::GzipIndexes "false"; Acquire::AllowInsecureRepositories "false"; Acquire::AllowWeakRepositories "false"; Acquire::Languages "none";
`;
  writeFileSync(join(dir, "apt.conf"), settings);
  return ["-c", join(dir, "apt.conf")];
}

/** A package as the mirror offers it. */
export type Offer = { archive: Archive; paragraph: Paragraph };

/** apt's options for its private directory, with the indexes in it. */
export type Indexes = { options: string[]; mirrors: Mirrors };

/**
 * Fetches the signed indexes of Debian 13 for both architectures.
 *
 * @param dir a directory of ours for apt's state; emptied first.
 * @throws SlipwayError COMMAND_FAILED when a signature does not hold or the mirror cannot be reached.
 */
export async function fetchIndexes(dir: string, mirrors: Mirrors): Promise<Indexes> {
  rmSync(dir, { recursive: true, force: true });
  const options = writePrivateConfig(dir, mirrors);
  try {
    await run("apt-get", [...options, "-q", "update"], { maxBuffer: MAX_BUFFER });
  } catch (cause) {
    throw new SlipwayError("COMMAND_FAILED", "apt could not fetch and check the indexes of Debian 13", { cause });
  }
  return { options, mirrors };
}

/** All that the mirrors offer for one architecture. */
export async function readOffers({ options, mirrors }: Indexes, arch: string): Promise<Offer[]> {
  const offers: Offer[] = [];
  for (const [, uri, , , targetArch, file] of await indexTargets(options)) {
    // A suite without packages of a component has no file.
    if (targetArch !== arch || !existsSync(file!)) continue;
    const archive = uri === mirrors.debian ? "debian" : "security";
    for (const paragraph of parseDeb822(readFileSync(file!, "utf8"))) offers.push({ archive, paragraph });
  }
  return offers;
}
