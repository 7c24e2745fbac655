// The host's inotify limits, raised while container nodes run: they are counted over all nodes of one user, and 128
// instances (many distributions' default) are too few for three. Put back by the last lab that ends, or by the next one
// after a lab that was killed. Called by container.ts.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isOwnerAlive, ownerMark } from "./namespace.ts";

const LIMITS = { max_user_instances: 8192, max_user_watches: 1_048_576 } as const;
const SYSCTL_DIR = "/proc/sys/fs/inotify";
/** In memory: after a restart of the host the limits are its own again. */
const NOTES_DIR = "/run/slipway-lab-inotify";

let users = 0;

type Place = { sysctlDir: string; notesDir: string };

/**
 * Raises the limits.
 * @returns what puts them back when no other lab needs them; may be called twice.
 */
export function raiseInotifyLimits(
  { sysctlDir, notesDir }: Place = { sysctlDir: SYSCTL_DIR, notesDir: NOTES_DIR },
): () => void {
  const place = { sysctlDir, notesDir };
  mkdirSync(notesDir, { recursive: true, mode: 0o700 });
  putBackUnlessUsed(place);
  users += 1;
  const own = join(notesDir, `user-${ownerMark()}-${users}`);
  writeFileSync(own, "");
  for (const [name, wanted] of Object.entries(LIMITS)) {
    const file = join(sysctlDir, name);
    const was = Number(readFileSync(file, "utf8"));
    if (was >= wanted) continue;
    writeFileSync(join(notesDir, name), String(was));
    writeFileSync(file, String(wanted));
  }
  const release = () => {
    process.removeListener("exit", release);
    rmSync(own, { force: true });
    putBackUnlessUsed(place);
  };
  process.on("exit", release);
  return release;
}

function putBackUnlessUsed({ sysctlDir, notesDir }: Place): void {
  for (const note of readdirSync(notesDir)) {
    const owner = /^user-(.*)$/.exec(note)?.[1];
    if (owner !== undefined && !isOwnerAlive(owner)) rmSync(join(notesDir, note), { force: true });
  }
  const notes = readdirSync(notesDir);
  if (notes.some((note) => note.startsWith("user-"))) return;
  for (const name of notes) {
    writeFileSync(join(sysctlDir, name), readFileSync(join(notesDir, name)));
    rmSync(join(notesDir, name));
  }
}
