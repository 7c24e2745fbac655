// One operation of disk-ops.ts → what it does to the machine. Edge: the only file that changes a disk. It knows no order of its
// own; run-stages.ts runs what the plan gives, one by one. A row per operation; one without a row does not compile.
import { execFile } from "node:child_process";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { Root } from "../read-sysfs.ts";
import type { DiskOp } from "./disk-ops.ts";
import type { Part } from "./image-manifest.ts";
import type { FileContent, Sized } from "./install-step.ts";
import type { PartitionLabel } from "./layout.ts";
import { removeVariable, type VariableOutcome, writeVariable } from "./open-boot-variables.ts";
import { type OpenDisk, writeAt } from "./open-disk.ts";
import type { DiskCalls } from "./open-disk-calls.ts";
import { digestFile } from "./read-volume.ts";
import type { ImageSource } from "./run-fetch.ts";
import type { Mounts } from "./run-mounts.ts";

/** All that the operations touch. */
export type OpWorld = {
  machine: Root;
  calls: DiskCalls;
  disk: OpenDisk;
  mounts: Mounts;
  /** Device file of a partition of the planned layout. */
  deviceOf(label: PartitionLabel): Promise<string>;
  /** undefined in a reset, which fetches nothing. */
  image: { source: ImageSource; sized(part: Part): Sized } | undefined;
  given: ReadonlyMap<string, Uint8Array>;
  /** Boot variables that the firmware refused, in words. */
  refusedVariables: string[];
  /** A reset goes on while a partition is in use: the machine restarts at its end. */
  isBusyTableFine: boolean;
  signal: AbortSignal;
  /** Bytes that were just done. */
  onBytes(bytes: number): void;
};

type Runners = { [K in DiskOp["op"]]: (op: Extract<DiskOp, { op: K }>, world: OpWorld) => Promise<void> };

const PIECE_BYTES = 4 * 1024 * 1024;
/** So often a long write is synced: what is reported is on the disk, and few pages wait in a small memory. */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

const RUNNERS: Runners = {
  "disk-write": ({ offset, bytes }, { disk }) => disk.write(offset, bytes),
  "disk-zero": async ({ range }, { disk, onBytes, signal }) => {
    const zeros = Buffer.alloc(Math.min(PIECE_BYTES, range.bytes));
    for (let done = 0; done < range.bytes; done += zeros.length) {
      signal.throwIfAborted();
      const piece = zeros.subarray(0, Math.min(zeros.length, range.bytes - done));
      await disk.write(range.offset + done, piece);
      onBytes(piece.length);
    }
  },
  "disk-sync": (_, { disk }) => disk.sync(),
  "reread-table": async (_, { disk, mounts, isBusyTableFine }) => {
    mounts.end();
    await disk.rereadTable().catch((fault: NodeJS.ErrnoException) => {
      if (!(isBusyTableFine && fault.code === "EBUSY")) throw fault;
    });
  },
  "make-file-system": async ({ partition, format, id }, { deviceOf, mounts, machine }) => {
    mounts.end();
    const device = await deviceOf(partition);
    const [program, ...args] = FORMATS[format](id, partition);
    await runProgram(machine, program!, [...args, device]);
  },
  "make-dir": async ({ on, path }, { mounts }) => {
    await mkdir(join(await mounts.at(on), path), { recursive: true, mode: 0o700 });
  },
  write: async ({ on, path, content }, world) => {
    const handle = await open(join(await world.mounts.at(on), path), "w", 0o600);
    try {
      await writeContent(handle, content, world);
    } finally {
      await handle.close();
    }
  },
  "sync-file": async ({ on, path }, { mounts }) => syncPath(join(await mounts.at(on), path)),
  verify: async ({ on, path, bytes, sha256 }, { mounts, calls, disk, onBytes, signal }) => {
    const found = await digestFile(join(await mounts.at(on), path), calls, (read) => {
      signal.throwIfAborted();
      onBytes(read);
    });
    if (found.bytes === bytes && found.sha256 === sha256) return;
    throw new SlipwayError(
      "DISK_FAILED",
      `${disk.path} gives back other bytes than were written: ${on}${path} has ${found.bytes} bytes with SHA-256 ${found.sha256}; ${bytes} with ${sha256} were written`,
      { remedy: "Look at the disk's health (SMART), its cable and the machine's memory; replace what is broken." },
    );
  },
  rename: async ({ on, from, to }, { mounts }) => {
    const at = await mounts.at(on);
    await rename(join(at, from), join(at, to));
  },
  "sync-dir": async ({ on, path }, { mounts }) => syncPath(join(await mounts.at(on), path)),
  remove: async ({ on, path }, { mounts }) => rm(join(await mounts.at(on), path), { force: true }),
  "write-boot-code": async ({ part, offset }, world) => {
    await world.disk.write(offset, await smallPart(part === "core" ? "grub-core" : "grub-boot", world));
  },
  "set-variable": async ({ variable, bytes }, world) =>
    noteRefused(world, await writeVariable(world.machine, variable, bytes, world.calls)),
  "remove-variable": async ({ variable }, world) =>
    noteRefused(world, await removeVariable(world.machine, variable, world.calls)),
};

/** Does one operation. @throws Node's faults, and SlipwayErrors that carry their remedy. */
export function runOp(op: DiskOp, world: OpWorld): Promise<void> {
  const run = RUNNERS[op.op] as (op: DiskOp, world: OpWorld) => Promise<void>;
  return run(op, world);
}

/** Format → program and arguments; the device follows. -F and -f: over whatever stood there, which the plan has erased. */
const FORMATS: Record<"fat32" | "xfs", (id: string, label: string) => string[]> = {
  fat32: (id, label) => ["mkfs.fat", "-F", "32", "-i", id.replace("-", ""), "-n", label],
  xfs: (id, label) => ["mkfs.xfs", "-q", "-f", "-m", `uuid=${id}`, "-L", label],
};

const run = promisify(execFile);

async function runProgram({ root }: Root, program: string, args: readonly string[]): Promise<void> {
  try {
    await run(program, args, {
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
      timeout: 300_000,
      cwd: root,
    });
  } catch (fault) {
    const { stderr, message } = fault as { stderr?: string; message: string };
    const said = (stderr ?? "").trim().split("\n").slice(-3).join("; ") || message;
    throw new SlipwayError("COMMAND_FAILED", `${program} ${args.at(-1)} failed: ${said}`, {
      remedy: "Look at the disk's health (SMART); it tries again by itself.",
    });
  }
}

async function writeContent(handle: FileHandle, content: FileContent, world: OpWorld): Promise<void> {
  if (content.kind === "text") return writeAt(handle, 0, Buffer.from(content.text, "utf8"));
  if (content.kind === "given") {
    const bytes = world.given.get(content.name);
    if (bytes === undefined) throw new SlipwayError("INTERNAL", `the install was given no ${content.name}`);
    return writeAt(handle, 0, bytes);
  }
  if (content.asset === "loader") return writeAt(handle, 0, await smallPart("loader", world));
  await streamPart(handle, PART_OF[content.asset], world);
}

const PART_OF = { uki: "uki", linux: "kernel", initrd: "initrd" } as const satisfies Record<string, Part>;

async function streamPart(handle: FileHandle, part: Part, world: OpWorld): Promise<void> {
  const { source, sized } = imageOf(world);
  let unsynced = 0;
  await source.stream(part, sized(part), async (bytes, at) => {
    // The file came from its start again: what an earlier version left behind the end must go.
    if (at === 0) await handle.truncate(0);
    await writeAt(handle, at, bytes);
    unsynced += bytes.length;
    if (unsynced >= SYNC_EVERY_BYTES) {
      await handle.datasync();
      unsynced = 0;
    }
    world.onBytes(bytes.length);
  });
}

async function smallPart(part: Part, world: OpWorld): Promise<Buffer> {
  const { source, sized } = imageOf(world);
  return source.small(part, sized(part));
}

function imageOf({ image }: OpWorld): NonNullable<OpWorld["image"]> {
  if (image === undefined) throw new SlipwayError("INTERNAL", "a reset wanted to fetch a part of an image");
  return image;
}

/** A file's data, or a directory's names. */
async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function noteRefused(world: OpWorld, outcome: VariableOutcome): void {
  if (outcome.kind === "refused") world.refusedVariables.push(outcome.reason);
}
