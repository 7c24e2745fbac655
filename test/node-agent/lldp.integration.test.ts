// LLDP heard on a real cable: a pair of interfaces in a network namespace of its own, a switch's frame sent into one end.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const SPACE = `swna-${process.pid}`;
const ROOT = join(import.meta.dirname, "../..");
let dir: string;
const ip = (...args: string[]) => execFileSync("ip", args, { encoding: "utf8" });
const inSpace = (...args: string[]) => ip("netns", "exec", SPACE, ...args);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-lldp-"));
  ip("netns", "add", SPACE);
  inSpace("ip", "link", "add", "node0", "type", "veth", "peer", "name", "port7");
  for (const name of ["node0", "port7"]) inSpace("ip", "link", "set", name, "up");
  // A pair of virtual interfaces has no hardware behind it; the agent listens where there is some.
  mkdirSync(join(dir, "sys/class/net/node0/device"), { recursive: true });
  writeFileSync(join(dir, "sys/class/net/node0/device/vendor"), "0x1af4\n");
  writeFileSync(join(dir, "sys/class/net/node0/ifindex"), inSpace("cat", "/sys/class/net/node0/ifindex"));
});
afterAll(() => {
  ip("netns", "delete", SPACE);
  rmSync(dir, { recursive: true });
});

const LISTEN = `
import { listenLldp } from "${ROOT}/node-agent/lldp-socket.ts";
import { openLibc } from "${ROOT}/node-agent/open-libc.ts";
const lldp = listenLldp({ root: process.argv[1] }, await openLibc());
console.log("listening");
setInterval(() => { if (lldp.neighbours().length > 0) { console.log(JSON.stringify(lldp.neighbours())); process.exit(0); } }, 100);
`;
/** Sends a frame through a packet socket (family 17, raw, LLDP) bound to the switch's end. */
const SEND = `
import { openLibc } from "${ROOT}/node-agent/open-libc.ts";
const libc = await openLibc();
const tlv = (type, bytes) => [(type << 1) | (bytes.length >> 8), bytes.length & 255, ...bytes];
const text = (s) => [...Buffer.from(s)];
const frame = Buffer.from([1, 0x80, 0xc2, 0, 0, 14, 2, 0, 0, 0, 0, 7, 0x88, 0xcc, ...tlv(1, [4, 2, 0, 0, 0, 0, 7]),
  ...tlv(2, [5, ...text("port7")]), ...tlv(3, [0, 120]), ...tlv(5, text("tor-1")), 0, 0]);
const to = Buffer.alloc(20);
to.writeUInt16LE(17, 0); to.writeUInt16LE(0xcc88, 2); to.writeInt32LE(Number(process.argv[1]), 4); to[11] = 6;
to.set(frame.subarray(0, 6), 12);
const fd = libc.socket(17, 3, 0xcc88);
console.log(libc.sendto(fd, frame, frame.length, 0, to, 20));
`;

test("listenLldp hears the switch at the other end of a cable", async () => {
  const node = [process.execPath, "--input-type=module-typescript", "-e"];
  const listener = spawn("ip", ["netns", "exec", SPACE, ...node, LISTEN, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const heard = new Promise<void>((resolve) => {
    listener.stdout.on("data", (bytes) => {
      said += bytes;
      if (said === "listening\n") inSpace(...node, SEND, inSpace("cat", "/sys/class/net/port7/ifindex").trim());
    });
    listener.once("exit", () => resolve());
  });
  await heard;
  expect(JSON.parse(said.split("\n")[1]!)).toEqual([
    { nic: "node0", chassis: "02:00:00:00:00:07", port: "port7", systemName: "tor-1" },
  ]);
});
