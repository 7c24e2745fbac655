// Traces of how the running system was started. Edge: reads the machine. main.ts gives them to boot-source.ts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Root, readText } from "./read-sysfs.ts";

/**
 * Whether this is a container, by systemd-detect-virt's rule: the manager's note of it, else PID 1's own environment.
 * A missing file is no trace.
 */
export const isInContainer = (from: Root): boolean =>
  readText(from, "run/systemd/container") !== "" || environmentOf(from).some((pair) => /^container=./.test(pair));

function environmentOf({ root }: Root): string[] {
  try {
    return readFileSync(join(root, "proc/1/environ"), "utf8").split("\0");
  } catch {
    // Not for us to read (EACCES), or a test's directory without it.
    return [];
  }
}
