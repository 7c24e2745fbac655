// Is this a machine that Slipway's set-up supports? Debian 12 or 13, amd64: the packages and firmware paths are those.
import { readFileSync } from "node:fs";
import { SetupError } from "./say.mjs";

const SUPPORTED = { debian: ["12", "13"] };

/** Reads the assignments of an os-release file. */
export function parseOsRelease(text) {
  const pairs = text.split("\n").map((line) => /^([A-Z_]+)=["']?(.*?)["']?$/.exec(line));
  return Object.fromEntries(pairs.filter(Boolean).map((match) => [match[1], match[2]]));
}

/** What is wrong with a host, or undefined. */
export function hostFault(osRelease, arch) {
  const { ID, VERSION_ID, PRETTY_NAME } = parseOsRelease(osRelease);
  const name = PRETTY_NAME ?? `${ID ?? "an unknown system"} ${VERSION_ID ?? ""}`.trim();
  if (!SUPPORTED[ID]?.includes(VERSION_ID)) return `this is ${name}; the set-up supports Debian 12 and 13`;
  if (arch !== "x64") return `this machine's processor is ${arch}; the set-up supports amd64`;
  return undefined;
}

/** @throws SetupError on a host that is not supported. */
export function needHost() {
  let osRelease = "";
  try {
    osRelease = readFileSync("/etc/os-release", "utf8");
  } catch {
    // No such file: not a Debian; the fault says so.
  }
  const fault = hostFault(osRelease, process.arch);
  if (fault)
    throw new SetupError(fault, "Run it on Debian 12 or 13 (amd64); a virtual machine or a container will do.");
}
