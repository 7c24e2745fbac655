// Writes files of a node whole or not at all, and only where they differ; reads what an earlier start left. Edge: the file
// system. Called by run-settle.ts and run-duties.ts.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { NodeFile } from "../../server/contract/kubernetes/node-paths.ts";
import type { EtcdIds } from "./etcd-wal.ts";
import { decodeWalHead, newestSegment, WAL_HEAD_BYTES } from "./etcd-wal.ts";
import type { NodeDirectory } from "./node-files.ts";

/** undefined where there is no such file. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** @returns paths of those that differed and were written. */
export const writeFiles = (files: readonly NodeFile[]): string[] => files.filter(writeFile).map(({ path }) => path);

/** Whether {@link writeFiles} would write it. */
export const differs = ({ path, text, uid, mode }: NodeFile): boolean => !isSame(path, text, uid, mode);

export const removeFile = (path: string): void => rmSync(path, { force: true });

function writeFile(file: NodeFile): boolean {
  if (!differs(file)) return false;
  const { path, text, uid, mode } = file;
  makeParents(dirname(path));
  const temporary = `${path}.${randomBytes(6).toString("hex")}.new`;
  const fd = openSync(temporary, "wx", 0o600);
  try {
    writeSync(fd, text);
    fchownSync(fd, uid, uid);
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  return true;
}

/**
 * Parents of secrets are for everyone to pass: the pods' users must reach what is theirs. The files are shut. The agent's
 * umask (0077) would shut new directories too.
 */
function makeParents(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made)) chmodSync(made, 0o755);
}

function isSame(path: string, text: string, uid: number, mode: number): boolean {
  try {
    const found = statSync(path);
    return found.uid === uid && (found.mode & 0o7777) === mode && readFileSync(path, "utf8") === text;
  } catch {
    return false;
  }
}

/** @returns names in it; empty where there is none. */
export function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** A link to a directory that is made where nothing stands; what stands there stays. */
export function makeLinks(links: Readonly<Record<string, string>>): void {
  for (const [path, target] of Object.entries(links)) {
    try {
      symlinkSync(target, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** Puts a link in the place of whatever stands there, at once. */
export function pointAt(path: string, target: string): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.new`;
  symlinkSync(target, temporary);
  renameSync(temporary, path);
}

/** Parents come before what lies in them: the agent's umask (0077) would shut those that are made on the way. */
export function makeDirectories(directories: readonly NodeDirectory[]): void {
  for (const { path, uid, mode } of directories) {
    mkdirSync(path, { recursive: true });
    chownSync(path, uid, uid);
    chmodSync(path, mode);
  }
}

export type EtcdData = { kind: "none" } | { kind: "data"; ids: EtcdIds } | { kind: "unreadable"; reason: string };

/** What etcd's data directory holds. It counts as data from the first segment of the log on, as etcd itself judges. */
export function readEtcdData(dataDir: string): EtcdData {
  const wal = join(dataDir, "member/wal");
  const segment = newestSegment(listDirectory(wal));
  if (segment === undefined) return { kind: "none" };
  try {
    const ids = decodeWalHead(readHead(join(wal, segment)));
    return ids === undefined
      ? { kind: "unreadable", reason: `${segment} has no readable beginning` }
      : { kind: "data", ids };
  } catch (error) {
    return { kind: "unreadable", reason: `${segment}: ${(error as Error).message}` };
  }
}

function readHead(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(WAL_HEAD_BYTES);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}
