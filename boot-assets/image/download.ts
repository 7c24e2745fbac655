// Fetches the locked files into the cache, by their hash: several at once, resumed where they broke off, checked before
// they get their name. Called by build.ts. A file that the mirror no longer has is an outcome, not a fault.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { SlipwayError } from "../../server/contract/errors.ts";
import { type Mirrors, readHostMirrors } from "./apt.ts";
import type { LockedPackage } from "./lock.ts";
import type { Progress } from "./progress.ts";

const run = promisify(execFile);
const PARALLEL = 4;
const TRIES = 3;

export type DownloadOutcome = { kind: "complete" } | { kind: "gone"; packages: LockedPackage[] };

/** Where a locked file lies in the cache, whether it is there or not. */
export const downloadPath = (cacheDir: string, row: LockedPackage): string => join(cacheDir, "downloads", row.sha256);

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** One HTTP transfer into `part`, from where it ends. @returns false when the server says that the file is not there. */
async function transfer(url: string, part: string, bytes: number, progress: Progress): Promise<boolean> {
  const from = existsSync(part) ? statSync(part).size : 0;
  // Broken off between the last byte and the check: there is nothing left to ask for.
  if (from === bytes) return true;
  const reply = await fetch(url, from > 0 ? { headers: { range: `bytes=${from}-` } } : {});
  if (reply.status === 404 || reply.status === 410) return false;
  if (!reply.ok || reply.body === null) throw new Error(`HTTP ${reply.status}`);
  const isResumed = reply.status === 206;
  if (isResumed) progress.add(from);
  const body = Readable.fromWeb(reply.body as Parameters<typeof Readable.fromWeb>[0]);
  body.on("data", (chunk: Buffer) => progress.add(chunk.length));
  await pipeline(body, createWriteStream(part, { flags: isResumed ? "a" : "w" }));
  return true;
}

/** npm's own client knows registry, proxy and credentials; the file is checked by our hash all the same. */
async function packNpm(row: LockedPackage, dir: string, part: string): Promise<boolean> {
  const target = `${part}.d`;
  mkdirSync(target, { recursive: true });
  const { stdout } = await run("npm", ["pack", row.file, "--pack-destination", target, "--json"], { cwd: dir });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  renameSync(join(target, packed!.filename.replace(/^@/, "").replace("/", "-")), part);
  rmSync(target, { recursive: true });
  return true;
}

async function fetchOne(row: LockedPackage, cacheDir: string, mirrors: Mirrors, progress: Progress): Promise<boolean> {
  const path = downloadPath(cacheDir, row);
  const part = `${path}.part`;
  const base = row.archive === "security" ? mirrors.security : mirrors.debian;
  if (base === undefined) return false;
  for (let attempt = 1; ; attempt++) {
    try {
      const found =
        row.archive === "npm"
          ? await packNpm(row, cacheDir, part)
          : await transfer(new URL(row.file, base).href, part, row.bytes, progress);
      if (!found) return false;
      const found256 = await sha256Of(part);
      if (found256 === row.sha256) break;
      rmSync(part);
      throw new Error(`its sha256 is ${found256}, the lock says ${row.sha256}`);
    } catch (cause) {
      if (attempt >= TRIES) {
        throw new SlipwayError("COMMAND_FAILED", `${row.file} could not be fetched in ${TRIES} tries: ${cause}`, {
          cause,
        });
      }
    }
  }
  renameSync(part, path);
  return true;
}

/**
 * Fetches what the cache lacks.
 *
 * @param cacheDir files go to `cacheDir/downloads/SHA256`.
 * @returns `gone` with the packages that the mirror no longer has; all others are in the cache then.
 * @throws SlipwayError COMMAND_FAILED when a file cannot be had or has another hash, after three tries.
 */
export async function downloadAll(
  rows: readonly LockedPackage[],
  cacheDir: string,
  progress: Progress,
): Promise<DownloadOutcome> {
  mkdirSync(join(cacheDir, "downloads"), { recursive: true });
  const unique = [...new Map(rows.map((row) => [row.sha256, row])).values()];
  const missing = unique.filter((row) => !existsSync(downloadPath(cacheDir, row)));
  if (missing.length === 0) return { kind: "complete" };
  const mirrors = await readHostMirrors();
  progress.start(
    `Fetching ${missing.length} packages`,
    missing.reduce((sum, row) => sum + (row.archive === "npm" ? 0 : row.bytes), 0),
  );
  const queue = [...missing].sort((a, b) => b.bytes - a.bytes);
  const gone: LockedPackage[] = [];
  const worker = async () => {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) {
      if (!(await fetchOne(row, cacheDir, mirrors, progress))) gone.push(row);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  progress.end();
  return gone.length === 0 ? { kind: "complete" } : { kind: "gone", packages: gone };
}
