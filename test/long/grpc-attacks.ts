// Three ways to be malformed on the gRPC port: bytes that are no TLS, HTTP/2 frames that are broken, and messages that are
// broken inside good frames. Each attack ends when the server closed, answered, or had its time; a hang is a fault.
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, createServer } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import {
  EnrolRequest,
  type EtcdStatus,
  FetchConfigRequest,
  NodeReport,
  RenewRequest,
} from "../../server/contract/generated/agent.ts";
import { factsOf } from "../node-agent/machine.ts";
import { MAC } from "../server/grpc/appliance.ts";
import { ORDER, type Victim } from "./grpc-victim.ts";

type Random = () => number;
export type Attack = (random: Random) => Promise<void>;

const ANSWER_MS = 10_000;
/** How long a connection that sent half a frame may stay open before the attacker goes. */
const LINGER_MS = 15;

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const below = (random: Random, n: number): number => Math.floor(random() * n);

/** One to four changes: bits, bytes, lengths, cuts, insertions, repetitions. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let out: Buffer = Buffer.from(bytes);
  for (let n = 1 + below(random, 4); n > 0; n--) out = MUTATIONS[below(random, MUTATIONS.length)]!(out, random);
  return out;
}

const MUTATIONS: readonly ((bytes: Buffer, random: Random) => Buffer)[] = [
  (bytes, random) => set(bytes, random, (byte) => byte ^ (1 << below(random, 8))),
  (bytes, random) => set(bytes, random, () => below(random, 256)),
  (bytes, random) => set(bytes, random, () => pick(random, [0, 1, 0x7f, 0x80, 0xfe, 0xff])),
  (bytes, random) => bytes.subarray(0, below(random, bytes.length + 1)),
  (bytes, random) =>
    insert(bytes, random, Buffer.from(Array.from({ length: 1 + below(random, 64) }, () => below(random, 256)))),
  // Ten bytes of continuation are the longest varint there is; one more is none.
  (bytes, random) => insert(bytes, random, Buffer.alloc(1 + below(random, 12), 0xff)),
  (bytes, random) => insert(bytes, random, bytes.subarray(below(random, bytes.length + 1))),
];

function set(bytes: Buffer, random: Random, change: (byte: number) => number): Buffer {
  const at = below(random, bytes.length);
  if (bytes.length > 0) bytes[at] = change(bytes[at]!);
  return bytes;
}

function insert(bytes: Buffer, random: Random, more: Buffer): Buffer {
  const at = below(random, bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
}

/** Bytes that a client sends first on a plain connection, recorded. */
async function record(send: (port: number) => { destroy(): void }): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = send((server.address() as { port: number }).port);
  const [socket] = await accepted;
  const [bytes] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

/** Ends when the other side closes, or after a while. What it says is thrown away. */
async function spill(socket: TLSSocket | ReturnType<typeof connectTcp>, bytes: Buffer): Promise<void> {
  socket.on("error", () => {});
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.end(bytes);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  await closed;
  clearTimeout(timer);
}

/** Broken TLS: nothing behind it is reached, and nothing may be left behind. */
export async function tlsAttack({ port }: Victim): Promise<Attack> {
  const hello = await record((at) => connectTls({ port: at, host: "127.0.0.1" }).on("error", () => {}));
  return (random) => spill(connectTcp({ port, host: "127.0.0.1" }), mutate(hello, random));
}

/** Broken HTTP/2 inside good TLS: preface, settings, headers and data of a real call, changed. */
export async function frameAttack({ port }: Victim): Promise<Attack> {
  const call = await record((at) => {
    const session = connectHttp2(`http://127.0.0.1:${at}`).on("error", () => {});
    session
      .request(HEADERS("/slipway.v1.Enrolment/Now"))
      .on("error", () => {})
      .end(frameOf(Buffer.alloc(0)));
    return session;
  });
  return async (random) => {
    const socket = connectTls({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    await spill(socket, mutate(call, random));
  };
}

const HEADERS = (path: string) => ({
  ":method": "POST",
  ":path": path,
  "content-type": "application/grpc",
  te: "trailers",
});

/** The five bytes before each gRPC message: not compressed, length. */
function frameOf(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** What a machine says while it installs, and as a node. */
function nodeReports(): NodeReport["report"][] {
  const step = { order: ORDER, number: 3, of: 9, text: "writes", done: true };
  const bytes = { bytesDone: 5n, bytesTotal: 10n, elapsedMs: 900 };
  const done = { order: ORDER, installId: "i1", installNumber: 1, disk: "/dev/vda" };
  const component = { name: "etcd", state: "running", detail: "" };
  const node = {
    name: "n1",
    ready: true,
    reason: "",
    kubeletVersion: "v1",
    address: "192.0.2.7",
    unschedulable: false,
  };
  const etcd: EtcdStatus = {
    data: { $case: "clusterId", value: "cafe" },
    healthy: true,
    memberId: "1",
    members: ["n1"],
  };
  const status = {
    ...{
      installId: "i1",
      ready: true,
      reason: "",
      components: [component],
      etcd,
      nodes: [node],
      configNotes: ["note"],
    },
    ...{ bootstrapObstacle: "", holdsEndpoint: true, memoryAvailableBytes: 1n },
    pendingPods: [{ namespace: "default", name: "p", reason: "no node" }],
  };
  return [
    { $case: "installStep", value: { ...step, ...bytes } },
    { $case: "installDone", value: done },
    { $case: "orderFailed", value: { order: ORDER, reason: "no disk", remedy: "fit one" } },
    { $case: "verbTaken", value: { id: "v1" } },
    { $case: "nodeStatus", value: status },
  ];
}

/** Good messages of every kind, to start from. */
function messagesOf({ token, csr, machineId }: Victim): [path: string, message: Buffer][] {
  const facts = factsOf(MAC);
  const contact = { bootId: "b", kernelMs: 5000n, agentMs: 200n, clockWasUnixMs: 0n, agentVersion: "0.1.0" };
  const line = { seq: 1n, level: 6, uptimeUs: 1_000_000n, text: "usb 1-1: new device", fromAgent: false };
  const reports: NodeReport["report"][] = [
    { $case: "hello", value: { contact, facts, bootSource: "network", installId: "" } },
    { $case: "facts", value: facts },
    { $case: "progress", value: { step: "step", text: "text", failed: false } },
    { $case: "log", value: { uptimeMs: 10_000n, lines: [line, line], lost: 1n } },
    { $case: "installChoice", value: { choice: { $case: "disk", value: { path: "/dev/sda", reason: "SSD" } } } },
    { $case: "installChoice", value: { choice: { $case: "impossible", value: "no disk" } } },
    ...nodeReports(),
  ];
  const bytes = (encoded: { finish(): Uint8Array }) => frameOf(encoded.finish());
  return [
    ["/slipway.v1.Enrolment/Now", frameOf(Buffer.alloc(0))],
    ["/slipway.v1.Enrolment/Enrol", bytes(EnrolRequest.encode({ token, csr, facts, contact }))],
    ["/slipway.v1.Enrolment/Renew", bytes(RenewRequest.encode({ machineId, csr }))],
    ["/slipway.v1.Node/FetchConfig", bytes(FetchConfigRequest.encode({ order: ORDER }))],
    ...reports.map((report): [string, Buffer] => ["/slipway.v1.Node/Report", bytes(NodeReport.encode({ report }))]),
  ];
}

/** Broken messages in good frames, from a machine that is enrolled: everything behind the codec is reached. */
export function messageAttack(victim: Victim): { attack: Attack; close(): void } {
  const messages = messagesOf(victim);
  const { certificate: cert, key } = victim;
  let session: ClientHttp2Session | undefined;
  const open = () => {
    if (session === undefined || session.closed || session.destroyed) {
      session = connectHttp2(`https://127.0.0.1:${victim.port}`, { cert, key, rejectUnauthorized: false });
      session.on("error", () => {});
    }
    return session;
  };
  const attack: Attack = (random) => {
    const [path, message] = pick(random, messages);
    const first = random() < 0.3 ? message : Buffer.alloc(0);
    return ask(open(), path, Buffer.concat([first, mutate(message, random)]));
  };
  return { attack, close: () => session?.destroy() };
}

/** Sends a call's body and waits for its end, whatever that is. */
function ask(session: ClientHttp2Session, path: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${path}: no end after ${ANSWER_MS} ms; body ${body.toString("hex")}`)),
      ANSWER_MS,
    );
    const call = session.request(HEADERS(path));
    call.on("error", () => {});
    call.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    call.resume();
    call.end(body);
  });
}
