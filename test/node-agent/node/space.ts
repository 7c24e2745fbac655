// A cable between two network namespaces, for tests: the node's end and another machine's. Everything in them ends with them.
import { execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../../..");

export type Cable = {
  /** Runs a program in the node's namespace, or in the other machine's. */
  node(...args: string[]): string;
  other(...args: string[]): string;
  /** Starts TypeScript in one of them. */
  start(side: "node" | "other", script: string, options?: SpawnOptions): ReturnType<typeof spawn>;
  /** Names of the namespaces. */
  spaces: { node: string; other: string };
  macs: { node: string; other: string };
  close(): void;
};

/** @param prefix short, unique among tests. The interface is `eth0` on both sides, up, without an address. */
export function layCable(prefix: string): Cable {
  const spaces = { node: `${prefix}n-${process.pid}`, other: `${prefix}o-${process.pid}` };
  const run = (...args: string[]) =>
    execFileSync(args[0]!, args.slice(1), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const inside =
    (space: string) =>
    (...args: string[]) =>
      run("ip", "netns", "exec", space, ...args);
  const [node, other] = [inside(spaces.node), inside(spaces.other)];
  for (const space of Object.values(spaces)) run("ip", "netns", "add", space);
  run("ip", "-n", spaces.node, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", spaces.other);
  for (const space of Object.values(spaces)) {
    run("ip", "-n", space, "link", "set", "lo", "up");
    run("ip", "-n", space, "link", "set", "eth0", "up");
  }
  const macOf = (exec: typeof node) => /ether ([0-9a-f:]{17})/.exec(exec("ip", "link", "show", "eth0"))![1]!;
  return {
    ...{ node, other, spaces, macs: { node: macOf(node), other: macOf(other) } },
    start: (side, script, options = {}) =>
      spawn("ip", ["netns", "exec", spaces[side], process.execPath, "--input-type=module-typescript", "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
        ...options,
      }),
    close: () => {
      for (const space of Object.values(spaces)) run("ip", "netns", "delete", space);
    },
  };
}

/** What both sides' scripts begin with: the C library, the card, and a wait that a signal ends. */
export const PRELUDE = `
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openLibc } from "${ROOT}/node-agent/open-libc.ts";
const libc = await openLibc();
const read = (name) => readFileSync("/sys/class/net/eth0/" + name, "utf8").trim();
const card = { name: "eth0", index: Number(read("ifindex")), mac: read("address"), hasCarrier: true, addresses: [] };
const wait = (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {});
const log = { info: (text) => console.log(text), warn: (text) => console.log("! " + text), take: () => [] };
`;
