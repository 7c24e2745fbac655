// Lays rendered files (network, sysctls, resolvers) and tells what changed. Edge: files. They are in /run and for every
// program to read; nothing secret is among them.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readIfThere } from "../open-kept-file.ts";

/** Writes one file whole. Returns whether the text is new. */
export function layFile(path: string, text: string): boolean {
  if (readIfThere(path) === text) return false;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(`${path}.new`, text, { mode: 0o644 });
  renameSync(`${path}.new`, path);
  return true;
}

/**
 * Makes the files of a directory that begin with `prefix` be exactly these.
 * @returns whether anything changed.
 */
export function layFiles(dir: string, prefix: string, files: readonly { name: string; text: string }[]): boolean {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const left = readdirSync(dir).filter((name) => name.startsWith(prefix) && !files.some((file) => file.name === name));
  for (const name of left) rmSync(join(dir, name));
  return files.map(({ name, text }) => layFile(join(dir, name), text)).some(Boolean) || left.length > 0;
}
