// Lays rendered files (network, sysctls, resolvers) and tells what changed. Edge: files. They are in /run and for every
// program to read; nothing secret is among them.
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readIfThere } from "../open-kept-file.ts";

/** Writes one file whole. Returns whether the text is new. */
export function layFile(path: string, text: string): boolean {
  if (readIfThere(path) === text) return false;
  openDir(dirname(path));
  writeFileSync(`${path}.new`, text);
  // The agent's umask keeps everything to root; networkd and timesyncd are other users.
  chmodSync(`${path}.new`, 0o644);
  renameSync(`${path}.new`, path);
  return true;
}

/**
 * Makes the files of a directory that begin with `prefix` be exactly these.
 * @returns whether anything changed.
 */
export function layFiles(dir: string, prefix: string, files: readonly { name: string; text: string }[]): boolean {
  openDir(dir);
  const left = readdirSync(dir).filter((name) => name.startsWith(prefix) && !files.some((file) => file.name === name));
  for (const name of left) rmSync(join(dir, name));
  return files.map(({ name, text }) => layFile(join(dir, name), text)).some(Boolean) || left.length > 0;
}

/** Makes what is missing of a path; what is made is for everybody to enter. */
function openDir(dir: string): void {
  const first = mkdirSync(dir, { recursive: true });
  if (first === undefined) return;
  for (let made = dir; made.length >= first.length; made = dirname(made)) chmodSync(made, 0o755);
}
