// 100,000 mutated datagrams against the TFTP codec and against a running server: no crash, no hang, no leak.
//   node --expose-gc --max-semi-space-size=8 test/long/fuzz-tftp.ts [--count 100000] [--seed N]
// Everything is on loopback; each batch comes from a source address of its own, or the flood limit would be all it meets.
import { createSocket, type Socket } from "node:dgram";
import { SlipwayError } from "../../server/contract/errors.ts";
import { decodePacket, encodePacket, type TftpPacket } from "../../server/tftp/packet.ts";
import { serveTftp } from "../../server/tftp/server.ts";
import { fuzzArguments, MemoryWatch, mutate, openDescriptors, seeded } from "./mutate.ts";

const { count, seed } = fuzzArguments();
const random = seeded(seed);
const BATCH = 250;
const FILE = Buffer.alloc(5000, 7);
const SEEDS: TftpPacket[] = [
  {
    kind: "read",
    name: "ipxe/x86_64/snponly.efi",
    mode: "octet",
    options: [
      ["tsize", "0"],
      ["blksize", "1468"],
      ["windowsize", "4"],
    ],
  },
  {
    kind: "read",
    name: "/boot.ipxe",
    mode: "octet",
    options: [
      ["blksize", "1432"],
      ["tsize", "0"],
    ],
  },
  { kind: "read", name: "fixup.dat", mode: "octet", options: [["timeout", "5"]] },
  { kind: "read", name: "f", mode: "octet", options: [] },
  { kind: "write", name: "rfc1350.txt", mode: "octet", options: [] },
  { kind: "ack", block: 0 },
  { kind: "ack", block: 1 },
  { kind: "data", block: 1, data: Buffer.alloc(100) },
  { kind: "error", code: 8, message: "User aborted the transfer" },
  { kind: "oack", options: [["tsize", "1"]] },
];
const BYTES = SEEDS.map(encodePacket);

function fuzzCodec(): { accepted: number; refused: number } {
  const result = { accepted: 0, refused: 0 };
  for (let i = 0; i < count; i++) {
    try {
      decodePacket(mutate(BYTES[random(BYTES.length)]!, random));
      result.accepted++;
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.code !== "MALFORMED_PACKET") throw error;
      result.refused++;
    }
  }
  return result;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };
let answers = 0;

async function clientAt(address: string): Promise<{ socket: Socket; tids: number[] }> {
  const socket = createSocket("udp4");
  const tids: number[] = [];
  socket.on("message", (_bytes, from) => {
    answers++;
    if (tids.length < 50) tids.push(from.port);
  });
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  return { socket, tids };
}

/** A well-formed request that must be answered; lost ones are repeated, as any client does. */
async function assertAlive(address: string, port: number): Promise<void> {
  const { socket, tids } = await clientAt(address);
  for (let tries = 0; tries < 10 && tids.length === 0; tries++) {
    socket.send(BYTES[1]!, port, "127.0.0.1");
    for (let ms = 0; ms < 500 && tids.length === 0; ms++) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (tids.length === 0) throw new Error(`seed ${seed}: the server no longer answers`);
  socket.close();
}

async function fuzzServer() {
  const server = await serveTftp({
    addresses: [{ ip: "127.0.0.1" }],
    ports: { kind: "range", first: 49_152, last: 65_535 },
    port: 0,
    open: async (name) => (name.length % 3 === 0 ? { kind: "missing" } : { kind: "file", bytes: FILE }),
    macOf: () => undefined,
    log: silent,
    record: () => {},
  });
  const { port } = server.listening()[0]!;
  const memory = new MemoryWatch(count);
  for (let sent = 0, batch = 0; sent < count; sent += BATCH, batch++) {
    const address = `127.${1 + ((batch >> 16) & 127)}.${(batch >> 8) & 255}.${1 + (batch & 253)}`;
    const { socket, tids } = await clientAt(address);
    for (let i = 0; i < BATCH; i++) {
      // One in three goes to the port of a transfer that runs.
      const to = tids.length > 0 && random(3) === 0 ? tids[random(tids.length)]! : port;
      socket.send(mutate(BYTES[random(BYTES.length)]!, random), to, "127.0.0.1", () => {});
      if (i % 25 === 24) await new Promise((resolve) => setImmediate(resolve));
    }
    await assertAlive(`127.200.${(batch >> 8) & 255}.${1 + (batch & 253)}`, port);
    socket.close();
    if (batch % 40 === 0) {
      memory.look(sent);
      if (batch % 80 === 0) console.log(`  ${sent} datagrams, ${JSON.stringify(server.status())}`);
    }
  }
  // The clients are gone: ICMP ends each transfer at its next packet.
  for (let s = 0; s < 70 && server.status().running > 0; s++) await new Promise((resolve) => setTimeout(resolve, 1000));
  const status = server.status();
  server.close();
  return { status, memory: memory.figures() };
}

console.log(`fuzz-tftp: ${count} mutations, seed ${seed}`);
process.on("uncaughtException", (error) => {
  console.error(`FAILED, seed ${seed}: an error escaped:`, error);
  process.exit(1);
});
const began = performance.now();
const codec = fuzzCodec();
console.log(
  `codec: ${codec.accepted} accepted, ${codec.refused} refused by name, ${Math.round(performance.now() - began)} ms`,
);
const before = openDescriptors();
const serverBegan = performance.now();
const { status, memory } = await fuzzServer();
await new Promise((resolve) => setTimeout(resolve, 100));
const after = openDescriptors();
console.log(
  `server: ${JSON.stringify({ ...status, answers })}, ${Math.round((performance.now() - serverBegan) / 1000)} s`,
);
console.log(`descriptors ${before} → ${after}, RSS ${JSON.stringify(memory)}`);
const faults = [
  status.running > 0 && `${status.running} transfers still run`,
  after > before && `${after - before} descriptors leaked`,
  memory.growthMiB > 48 && `RSS grew by ${memory.growthMiB} MiB`,
].filter((fault) => fault !== false);
console.log(faults.length === 0 ? "PASSED" : `FAILED, seed ${seed}: ${faults.join("; ")}`);
process.exitCode = faults.length === 0 ? 0 : 1;
