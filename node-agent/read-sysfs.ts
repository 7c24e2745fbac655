// The kernel's small files (/sys, /proc) as text. Edge: reads the machine. A file that is missing or refuses to be read is an
// absent fact, never a fault: every machine lacks some of them.
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";

/** Where the kernel's files are: `/` on a machine, a directory with copies of them in a test. */
export type Root = { root: string };

/** Trimmed text without NULs (device tree strings end with one); empty when the file is missing or unreadable. */
export function readText({ root }: Root, path: string): string {
  try {
    return readFileSync(join(root, path), "utf8").replaceAll("\0", "").trim();
  } catch {
    // Absent (ENOENT), a link that is down (EINVAL on carrier), not for us (EACCES): all mean "not known".
    return "";
  }
}

/** A non-negative whole number; `fallback` when the file holds none (speed is -1 while a link is down). */
export function readNumber(from: Root, path: string, fallback = 0): number {
  const text = readText(from, path);
  return /^\d+$/.test(text) ? Number(text) : fallback;
}

/** Names in a directory, sorted; none when it is missing. */
export function readNames({ root }: Root, path: string): string[] {
  try {
    return readdirSync(join(root, path)).sort();
  } catch {
    return [];
  }
}

/** Last part of a symbolic link's target: the driver's name, for one. */
export function readLinkName({ root }: Root, path: string): string {
  try {
    return basename(readlinkSync(join(root, path)));
  } catch {
    return "";
  }
}

/** The path behind all links, the device's place in the bus tree; empty when missing. */
export function readRealPath({ root }: Root, path: string): string {
  try {
    return realpathSync(join(root, path));
  } catch {
    return "";
  }
}

/** Whether there is such a file or directory. */
export const exists = ({ root }: Root, path: string): boolean => existsSync(join(root, path));

/** Mount points at or below a directory, the deepest first (proc_pid_mountinfo(5), field 5: spaces come as \040). */
export const readMountPoints = (from: Root, dir: string): string[] =>
  readText(from, "proc/self/mountinfo")
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_all, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((at) => at === dir || at.startsWith(`${dir}/`))
    .reverse();
