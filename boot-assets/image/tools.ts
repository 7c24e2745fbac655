// The build's own programs (mksquashfs, xz, zstd, depmod, strip): unpacked from the locked Debian 13 packages and run with
// their own libraries, so that the host's versions do not matter. Called by build.ts and the steps that run a program.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { SlipwayError } from "../../server/contract/errors.ts";
import { unpack } from "./deb.ts";
import type { Lock } from "./lock.ts";
import { type Variant, wantedOf } from "./packages.ts";

const run = promisify(execFile);
const LIBRARIES = "usr/lib/x86_64-linux-gnu";
/** What programs of the build may know of the host: nothing that a locale or time zone could change. */
const ENVIRONMENT = { PATH: "/nonexistent", LC_ALL: "C", TZ: "UTC", SOURCE_DATE_EPOCH: "0" };

/** A directory with the unpacked tools. */
export type Toolbox = { dir: string };

/** Unpacks the locked tools into the cache, once per lock; `full` has a Go besides. */
export async function openBuildTools(cacheDir: string, lock: Lock, variant: Variant): Promise<Toolbox> {
  const wanted = wantedOf("tools", variant).filter(({ keep }) => keep.length > 0);
  const rows = wanted.map((row) => ({ row, locked: lock.packages.find(({ name }) => name === row.name)! }));
  const name = createHash("sha256")
    .update(JSON.stringify(rows.map(({ row, locked }) => [locked.sha256, row.keep])))
    .digest("hex");
  const dir = join(cacheDir, "tools", name.slice(0, 16));
  if (existsSync(dir)) return { dir };
  const draft = `${dir}.${process.pid}.draft`;
  rmSync(draft, { recursive: true, force: true });
  for (const { row, locked } of rows) {
    for (const [path, entry] of await unpack(cacheDir, locked, row.keep)) {
      mkdirSync(dirname(join(draft, path)), { recursive: true });
      if (entry.kind === "file") writeFileSync(join(draft, path), entry.bytes, { mode: entry.mode });
      else if (entry.kind === "link") symlinkSync(entry.target, join(draft, path));
    }
  }
  renameSync(draft, dir);
  return { dir };
}

const commandLine = ({ dir }: Toolbox, program: string, args: readonly string[]) => [
  "--library-path",
  join(dir, LIBRARIES),
  "--argv0",
  program.split("/").at(-1)!,
  join(dir, program),
  ...args,
];
const loader = ({ dir }: Toolbox) => join(dir, LIBRARIES, "ld-linux-x86-64.so.2");

/** Runs a tool to its end. @throws SlipwayError COMMAND_FAILED with what it printed. */
export async function runTool(tools: Toolbox, program: string, args: readonly string[]): Promise<void> {
  try {
    await run(loader(tools), commandLine(tools, program, args), { env: ENVIRONMENT, maxBuffer: 64 * 1024 * 1024 });
  } catch (cause) {
    throw new SlipwayError("COMMAND_FAILED", `${program} failed: ${(cause as { stderr?: string }).stderr ?? cause}`, {
      cause,
    });
  }
}

/** Feeds a tool's standard input and returns its standard output. */
export async function pipeTool(
  tools: Toolbox,
  program: string,
  args: readonly string[],
  input: Iterable<Uint8Array>,
): Promise<Uint8Array> {
  const child = spawn(loader(tools), commandLine(tools, program, args), { env: ENVIRONMENT });
  const output: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const fed = pipeline(Readable.from(input), child.stdin).catch(() => undefined);
  const code = await ended;
  await fed;
  if (code !== 0)
    throw new SlipwayError("COMMAND_FAILED", `${program} ended with ${code}: ${Buffer.concat(complaints)}`);
  return Buffer.concat(output);
}
