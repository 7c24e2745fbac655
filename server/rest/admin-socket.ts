// dataDir/admin.sock: where the admin API listens. Made under another name, given its group and mode, then moved into place,
// so that it is never open to others and never half made. Edge.
import { chmodSync, chownSync, lstatSync, readFileSync, renameSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../contract/errors.ts";

/** Owner and group may use it, nobody else. */
const MODE = 0o660;
/** Shorter than `admin.sock`, so that a path which fits the one fits the other. */
const WORKING_NAME = "new.sock";
const PROBE_MS = 1000;

export type ListenOptions = {
  /** Absolute path of the socket. */
  path: string;
  /** Name of the group that may use it; undefined: {@link startersGroup}. */
  group?: string | undefined;
};

/**
 * Opens the socket. A socket that a dead process left is replaced.
 * @throws PORT_IN_USE when another appliance answers there or the path is no socket; BAD_CONFIG for an unknown group;
 *   NO_PERMISSION when the directory is not ours.
 */
export async function listenAdmin(app: FastifyInstance, { path, group }: ListenOptions): Promise<void> {
  const gid = group === undefined ? startersGroup(process.env) : getGroupId(group);
  await assertFree(path);
  const working = join(dirname(path), WORKING_NAME);
  try {
    rmSync(working, { force: true });
    await app.listen({ path: working });
    chownSync(working, -1, gid);
    chmodSync(working, MODE);
    renameSync(working, path);
  } catch (cause) {
    await app.close();
    rmSync(working, { force: true });
    throw asFault(cause, path, group ?? String(gid));
  }
  const { ino } = lstatSync(path);
  app.server.once("close", () => removeOwn(path, ino));
}

/** Group of who called: under sudo that user's, so that `./slipway` works for them after `sudo npm start`. */
export function startersGroup(env: NodeJS.ProcessEnv): number {
  const sudo = process.getuid?.() === 0 ? env.SUDO_GID : undefined;
  return sudo !== undefined && /^\d+$/.test(sudo) ? Number(sudo) : process.getgid!();
}

/** A later appliance may have put its own socket there; that one stays. */
function removeOwn(path: string, ino: number): void {
  try {
    if (lstatSync(path).ino === ino) rmSync(path);
  } catch {
    // Already gone: that is what was wanted.
  }
}

async function assertFree(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket())
    throw new SlipwayError("PORT_IN_USE", `${path} exists and is no socket`, {
      remedy: "Move that file away, or choose another dataDir.",
    });
  if (await isAnswered(path)) {
    throw new SlipwayError("PORT_IN_USE", `another Slipway answers on ${path}`, {
      remedy: "Stop it first, or give this one another dataDir in slipway.yaml.",
    });
  }
}

/** A socket whose process died refuses; only a live one accepts. */
const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      end(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
    socket.setTimeout(PROBE_MS, () => end(true));
  });

/** `getent` is not needed: groups of a directory service cannot own a local socket's file safely at boot. */
function getGroupId(name: string): number {
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((l) => l.startsWith(`${name}:`));
  if (line) return Number(line.split(":")[2]);
  throw new SlipwayError("BAD_CONFIG", `adminGroup: there is no group "${name}" in /etc/group`, {
    remedy: `Make it (\`sudo groupadd --system ${name}\`), name another in slipway.yaml, or leave adminGroup out.`,
  });
}

function asFault(cause: unknown, path: string, group: string): unknown {
  const { code, syscall } = cause as NodeJS.ErrnoException;
  if (code === "EPERM" && syscall === "chown") {
    return new SlipwayError(
      "NO_PERMISSION",
      `${path} cannot be given to the group ${group}: this user is no member of it`,
      { cause },
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new SlipwayError("NO_PERMISSION", `${path} cannot be made: ${(cause as Error).message}`, { cause });
  return cause;
}
