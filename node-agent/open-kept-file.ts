// One file that survives a power cut: temporary, fsync, rename, fsync of the directory, and the last one kept beside it as
// `<name>.previous`. Edge. store.ts and node/open-state.ts keep everything in such files; mode 0600 always.
import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/** A file whose text means a `T`. */
export type KeptFile<T> = {
  /** The newest whole text; undefined when there is none. A damaged file falls back to the previous one, and says so. */
  read(): T | undefined;
  /** Nothing is written when the text stands there already. Throws what the file system throws. */
  write(text: string): void;
  remove(): void;
};

/**
 * Opens one.
 * @param parse undefined for a text that is none: torn, or of another kind.
 * @param say told, in a sentence, when a damaged file was passed over.
 */
export function openKeptFile<T>(
  path: string,
  parse: (text: string) => T | undefined,
  say: (text: string) => void,
): KeptFile<T> {
  const previous = `${path}.previous`;
  const read = (): T | undefined => {
    const text = readIfThere(path);
    const value = text === undefined ? undefined : parse(text);
    if (value !== undefined) return value;
    const older = readIfThere(previous);
    const kept = older === undefined ? undefined : parse(older);
    if (text !== undefined)
      say(`${path} is damaged; ${kept === undefined ? "there is no older one" : "the one before it is used"}.`);
    return kept;
  };
  return {
    read,
    write: (text) => {
      const current = readIfThere(path);
      if (current === text) return;
      // A damaged file must not push out the last whole one.
      const isWorthKeeping = current !== undefined && parse(current) !== undefined;
      writeSynced(`${path}.new`, text);
      if (isWorthKeeping) keepAs(path, previous);
      renameSync(`${path}.new`, path);
      syncPath(dirname(path));
    },
    remove: () => {
      for (const name of [path, previous, `${path}.new`]) rmSync(name, { force: true });
      syncPath(dirname(path));
    },
  };
}

/** A second name for the same bytes, put in place by a rename: at no moment is there neither. */
function keepAs(path: string, previous: string): void {
  rmSync(`${previous}.new`, { force: true });
  linkSync(path, `${previous}.new`);
  renameSync(`${previous}.new`, previous);
}

/** Whole text, or undefined when there is no such file. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function writeSynced(path: string, text: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    writeFileSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
