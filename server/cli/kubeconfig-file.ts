// The kubeconfig file on a person's disk: found, looked at before a certificate is asked for, and changed whole or not at all
// under kubectl's own lock. kubeconfig-commands.ts and kubectl-commands.ts call it; what is merged: merge-kubeconfig.ts.
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { SlipwayError } from "../contract/errors.ts";
import { assertKubeconfig, mergeKubeconfig } from "./merge-kubeconfig.ts";

/** kubectl writes into the first file of KUBECONFIG, too. */
export const kubeconfigPath = (env: NodeJS.ProcessEnv): string =>
  env.KUBECONFIG?.split(delimiter).find((part) => part !== "") ?? join(homedir(), ".kube", "config");

/** @returns the context's name. @throws BAD_REQUEST, NO_PERMISSION, DISK_FULL, CONFLICT while kubectl writes the same file. */
export const mergeInto = (file: string, added: string, forced: string | undefined): string =>
  withLock(file, (path) => {
    const { text, context } = mergeKubeconfig(readIfThere(path), added, forced, path);
    replaceFile(path, text);
    return context;
  });

/**
 * Proves that `mergeInto` will find what it needs; the file stays as it is. To be called before a certificate is asked for.
 * @throws what mergeInto throws.
 */
export const assertMergeable = (file: string): void =>
  withLock(file, (path) => {
    const before = readIfThere(path);
    assertKubeconfig(before, path);
    assertReplaceable(path, before.length);
  });

/** One cluster with its certificates and key, generously. */
const KUBECONFIG_BYTES = 16 * 1024;

/** Writes beside the file what replaceFile would, and takes it away again. @throws the file system's own error. */
export function assertReplaceable(path: string, bytes = 0): void {
  rmSync(writePartial(path, "\0".repeat(bytes + KUBECONFIG_BYTES)), { force: true });
}

function withLock<T>(file: string, task: (path: string) => T): T {
  const path = targetOf(resolve(file));
  const lock = `${path}.lock`;
  let isLocked = false;
  try {
    makeDirectory(dirname(path));
    takeLock(lock, path);
    isLocked = true;
    return task(path);
  } catch (cause) {
    throw cause instanceof SlipwayError ? cause : writeFault(cause, path);
  } finally {
    if (isLocked) rmSync(lock, { force: true });
  }
}

function makeDirectory(dir: string): void {
  const isNew = !existsSync(dir);
  if (mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(dir, 0o700);
  if (isNew) giveTo(dir, dirname(dir));
}

function takeLock(lock: string, path: string): void {
  try {
    closeSync(openSync(lock, "wx", 0o600));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new SlipwayError("CONFLICT", `${path} is being changed by another program: ${lock} is there`, {
      cause,
      remedy: `Try again; if no such program runs, remove ${lock}.`,
    });
  }
}

/** A link stays a link: what it leads to is changed. @throws NO_PERMISSION for one that leads nowhere. */
function targetOf(path: string): string {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isSymbolicLink() ? realpathSync(path) : path;
  } catch (cause) {
    throw writeFault(cause, path);
  }
}

/** With `sudo -E` the file is in another user's home, who could not read it any more: it stays, or becomes, theirs. */
function giveTo(path: string, like: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(like);
  chownSync(path, uid, gid);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw cause;
  }
}

/** Whole or not at all, and never readable by others. */
export function replaceFile(path: string, text: string): void {
  renameSync(writePartial(path, text), path);
}

/** @returns the name of a file beside `path` that holds the text, on the disk. */
function writePartial(path: string, text: string): string {
  const partial = `${path}.${process.pid}.new`;
  rmSync(partial, { force: true });
  const fd = openSync(partial, "wx", 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
    giveTo(partial, existsSync(path) ? path : dirname(path));
  } catch (cause) {
    rmSync(partial, { force: true });
    throw cause;
  } finally {
    closeSync(fd);
  }
  return partial;
}

function writeFault(cause: unknown, path: string): SlipwayError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new SlipwayError(isFull ? "DISK_FULL" : "NO_PERMISSION", `${path} cannot be written: ${message}`, {
    cause,
    remedy: "Name another file with --file, or print with --stdout.",
  });
}
