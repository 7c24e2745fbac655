// `kubeconfig`: an administrator's certificate, merged into the file that kubectl reads.
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
import type { KubeconfigBody } from "../rest/cluster-schema.ts";
import { clusterName } from "./cluster-commands.ts";
import { mergeKubeconfig } from "./merge-kubeconfig.ts";
import { type CommonOptions, type Desk, openDesk } from "./output.ts";
import { parseTime } from "./parse-time.ts";

export type KubeconfigOptions = CommonOptions & {
  merge?: boolean;
  stdout?: boolean;
  file?: string;
  lifetime: string;
  forceContextName?: string;
  server?: string;
  tlsServerName?: string;
};

export async function runKubeconfig(name: string | undefined, options: KubeconfigOptions): Promise<void> {
  const { merge, stdout, file, server, tlsServerName, forceContextName } = options;
  if (stdout && (merge || file !== undefined)) {
    const other = merge ? "--merge" : "--file";
    throw new SlipwayError("BAD_REQUEST", `--stdout and ${other} contradict each other`, {
      remedy: "Give one of the two.",
    });
  }
  const lifetimeMs = parseTime("--lifetime", options.lifetime);
  const desk = await openDesk(options);
  const cluster = await clusterName(desk, name);
  const text = await fetchKubeconfig(desk, cluster, {
    lifetimeMs,
    ...(server === undefined ? {} : { server }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
  });
  if (stdout) return desk.print(mergeKubeconfig("", text, forceContextName, "standard output").text);
  const path = file ?? kubeconfigPath(process.env);
  const context = mergeInto(path, text, forceContextName);
  desk.note(`${path}: context ${context} leads to cluster ${cluster} now, and is the current one.\n`);
}

export async function fetchKubeconfig(
  desk: Pick<Desk, "client">,
  cluster: string,
  body: KubeconfigBody,
): Promise<string> {
  const path = `/v1/clusters/${encodeURIComponent(cluster)}/kubeconfig`;
  return (await desk.client.post<{ kubeconfig: string }>(path, body)).kubeconfig;
}

/** kubectl writes into the first file of KUBECONFIG, too. */
export const kubeconfigPath = (env: NodeJS.ProcessEnv): string =>
  env.KUBECONFIG?.split(delimiter).find((part) => part !== "") ?? join(homedir(), ".kube", "config");

/** @returns the context's name. @throws BAD_REQUEST, NO_PERMISSION, CONFLICT while kubectl writes the same file. */
export function mergeInto(file: string, added: string, forced: string | undefined): string {
  const path = targetOf(resolve(file));
  const lock = `${path}.lock`;
  try {
    const isNew = !existsSync(dirname(path));
    if (mkdirSync(dirname(path), { recursive: true, mode: 0o700 }) !== undefined) chmodSync(dirname(path), 0o700);
    if (isNew) giveTo(dirname(path), dirname(dirname(path)));
    closeSync(openSync(lock, "wx", 0o600));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw writeFault(cause, path);
    throw new SlipwayError("CONFLICT", `${path} is being changed by another program: ${lock} is there`, {
      cause,
      remedy: `Try again; if no such program runs, remove ${lock}.`,
    });
  }
  try {
    const { text, context } = mergeKubeconfig(readIfThere(path), added, forced, path);
    replaceFile(path, text);
    return context;
  } catch (cause) {
    throw cause instanceof SlipwayError ? cause : writeFault(cause, path);
  } finally {
    rmSync(lock, { force: true });
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
  renameSync(partial, path);
}

function writeFault(cause: unknown, path: string): SlipwayError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new SlipwayError(isFull ? "DISK_FULL" : "NO_PERMISSION", `${path} cannot be written: ${message}`, {
    cause,
    remedy: "Name another file with --file, or print with --stdout.",
  });
}
