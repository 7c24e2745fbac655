// The server on loopback sockets: what pxe.md 4 asks of it, its negative list (4.5) included. A "no answer" is shown by a
// later request whose answer comes first.
import { createRequire } from "node:module";
import { afterEach, expect, test } from "vitest";
import type { TftpPacket } from "../../../server/tftp/packet.ts";
import { serveTftp, type TftpOptions } from "../../../server/tftp/server.ts";
import { pattern } from "../../boot-assets/asset-folder.ts";
import { fetchFile, type RawClient, rawClient, readRequest, testServer } from "./raw-client.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function start(files: Record<string, Uint8Array>, over: Partial<TftpOptions> = {}) {
  const it = await testServer(files, over);
  closers.push(() => it.server.close());
  return it;
}
async function client(...at: Parameters<typeof rawClient>): Promise<RawClient> {
  const it = await rawClient(...at);
  closers.push(it.close);
  return it;
}
const FILE = pattern(10_000);
const ack = (block: number): TftpPacket => ({ kind: "ack", block });

/** Sends something that must stay unanswered, then shows that the next answer is to a request that is answered. */
async function expectSilence(one: RawClient, port: number, ...unanswered: (TftpPacket | Uint8Array)[]) {
  for (const packet of unanswered) one.send(packet, port);
  one.send(readRequest("no-such-file"), port);
  expect((await one.next()).packet).toMatchObject({ kind: "error", code: 1 });
  expect(one.heard).toEqual([]);
}

test("a file comes whole for every block size and window, and its events carry bytes and time", async () => {
  const sizes: [asked: number, granted: number][] = [
    [8, 8],
    [511, 511],
    [512, 512],
    [513, 513],
    [1468, 1468],
    [65464, 1468],
  ];
  for (const [asked, granted] of sizes) {
    for (const length of [0, granted - 1, granted, granted + 1, 3000]) {
      const it = await start({ f: pattern(length) });
      const one = await client();
      for (const windowsize of ["1", "4", "16"]) {
        const got = await fetchFile(
          one,
          it.port,
          "f",
          ["blksize", String(asked)],
          ["windowsize", windowsize],
          ["tsize", "0"],
        );
        expect(got.oack).toEqual([
          ["blksize", String(granted)],
          ["windowsize", windowsize],
          ["tsize", String(length)],
        ]);
        expect(got.bytes.equals(pattern(length))).toBe(true);
      }
      expect(await it.event("tftp-done")).toMatchObject({
        mac: "52:54:00:12:34:56",
        detail: { file: "f", bytes: length, ms: expect.any(Number) },
      });
      expect(it.events[0]).toMatchObject({ kind: "tftp-start", detail: { file: "f", bytes: length } });
      it.server.close();
      one.close();
      closers.splice(0);
    }
  }
});

test("a request without options is answered with plain DATA of 512 bytes, from a port of the range", async () => {
  const it = await start({ f: FILE });
  const one = await client();
  const got = await fetchFile(one, it.port, "f");
  expect(got.oack).toBeUndefined();
  expect(got.bytes.equals(FILE)).toBe(true);
  expect(got.port).toBeGreaterThanOrEqual(20_000);
  expect(got.port).toBeLessThanOrEqual(29_999);
  expect(got.port).not.toBe(it.port);
});

test("block numbers wrap in a file of more than 65535 blocks", async () => {
  const big = pattern(8 * 66_000 + 3);
  const it = await start({ big });
  const got = await fetchFile(await client(), it.port, "big", ["blksize", "8"], ["windowsize", "16"]);
  expect(got.bytes.equals(big)).toBe(true);
});

test("in single-port mode everything comes from the request port", async () => {
  const it = await start({ f: FILE }, { ports: { kind: "single-port" } });
  const one = await client();
  const two = await client();
  const [a, b] = await Promise.all([
    fetchFile(one, it.port, "f", ["blksize", "600"]),
    fetchFile(two, it.port, "f", ["blksize", "700"], ["windowsize", "4"]),
  ]);
  expect([a.port, b.port]).toEqual([it.port, it.port]);
  expect(a.bytes.equals(FILE) && b.bytes.equals(FILE)).toBe(true);
  await expectSilence(one, it.port, ack(3), { kind: "error", code: 0, message: "x" });
  expect(it.server.status().running).toBe(0);
});

test("a missing file is ERROR 1 before any OACK, and an event", async () => {
  const it = await start({});
  const one = await client();
  one.send(readRequest("pxelinux.cfg/default", ["tsize", "0"]), it.port);
  expect((await one.next()).packet).toEqual({ kind: "error", code: 1, message: "File not found" });
  expect(await it.event("tftp-missing")).toMatchObject({ detail: { file: "pxelinux.cfg/default" } });
});

test("a file that cannot be opened is ERROR 1, an event with the reason and a log line", async () => {
  const it = await start({}, { open: async () => Promise.reject(new Error("the disk is on fire")) });
  const one = await client();
  one.send(readRequest("f"), it.port);
  expect((await one.next()).packet).toMatchObject({ kind: "error", code: 1 });
  expect(await it.event("tftp-failed")).toMatchObject({ detail: { file: "f", reason: "the disk is on fire" } });
  expect(it.lines).toContain("TFTP: f could not be served.");
});

test("the open function is told the name without slashes, and both addresses", async () => {
  const asked: unknown[] = [];
  const it = await start(
    {},
    {
      open: async (name, peer) => {
        asked.push([name, peer]);
        return { kind: "missing" };
      },
    },
  );
  const one = await client();
  one.send(readRequest("\\ipxe\\\\bios/./x"), it.port);
  await one.next();
  expect(asked).toEqual([["ipxe/bios/x", { localIp: "127.0.0.1", clientIp: "127.0.0.1" }]]);
});

test("the same request again before the first ACK gets the same packet from the same port (firmware #1700)", async () => {
  const it = await start({ f: FILE });
  const one = await client();
  const request = readRequest("f", ["tsize", "0"]);
  one.send(request, it.port);
  const first = await one.next();
  one.send(request, it.port);
  const second = await one.next();
  expect([second.port, second.packet]).toEqual([first.port, first.packet]);
  expect(it.server.status().running).toBe(1);
});

test("the same request again while the file is being opened begins no second transfer", async () => {
  let open: (() => void) | undefined;
  const it = await start(
    {},
    { open: () => new Promise((resolve) => (open = () => resolve({ kind: "file", bytes: FILE }))) },
  );
  const one = await client();
  one.send(readRequest("f"), it.port);
  one.send(readRequest("f"), it.port);
  const two = await client();
  two.send({ kind: "write", name: "x", mode: "octet", options: [] }, it.port);
  await two.next();
  open!();
  expect((await one.next()).packet).toMatchObject({ kind: "data", block: 1 });
  expect(one.heard).toEqual([]);
  expect(it.server.status().running).toBe(1);
});

test("a request from the same port after the first ACK is a new attempt, from a new port", async () => {
  const it = await start({ f: FILE, g: FILE });
  const one = await client();
  one.send(readRequest("f", ["tsize", "0"]), it.port);
  const first = await one.next();
  one.send(ack(0), first.port);
  await one.next();
  one.send(readRequest("f", ["tsize", "0"]), it.port);
  const again = await one.next();
  expect(again.packet.kind).toBe("oack");
  expect(again.port).not.toBe(first.port);
  one.send(readRequest("g"), it.port);
  expect((await one.next()).packet).toMatchObject({ kind: "data", block: 1 });
  expect(it.server.status().running).toBe(1);
});

test("a packet from a wrong TID gets ERROR 5 and does not touch the transfer", async () => {
  const it = await start({ f: FILE });
  const one = await client();
  const other = await client();
  one.send(readRequest("f", ["tsize", "0"]), it.port);
  const { port } = await one.next();
  other.send(ack(0), port);
  expect(await other.next()).toMatchObject({ port, packet: { kind: "error", code: 5 } });
  other.send({ kind: "error", code: 0, message: "stop" }, port);
  const elsewhere = await client("127.0.0.2");
  elsewhere.send({ kind: "error", code: 0, message: "stop" }, port);
  elsewhere.send(ack(0), port);
  expect((await elsewhere.next()).packet).toMatchObject({ kind: "error", code: 5 });
  one.send(ack(0), port);
  expect((await one.next()).packet).toMatchObject({ kind: "data", block: 1 });
  expect(it.lines.some((text) => text.includes("was dropped"))).toBe(true);
});

test.each([0, 8])("ERROR %i ends a size probe without an event", async (code) => {
  const it = await start({ f: FILE });
  const one = await client();
  one.send(readRequest("f", ["tsize", "0"]), it.port);
  one.send({ kind: "error", code, message: "Early terminate" }, (await one.next()).port);
  const got = await fetchFile(one, it.port, "f", ["blksize", "1468"]);
  expect(got.bytes.equals(FILE)).toBe(true);
  await it.event("tftp-done");
  expect(it.events.map((event) => event.kind)).toEqual(["tftp-start", "tftp-done"]);
});

test("ERROR 0 in the middle of a file is no failure: GRUB stops when it knows enough", async () => {
  const it = await start({ f: FILE });
  const one = await client();
  one.send(readRequest("f"), it.port);
  const { port } = await one.next();
  one.send(ack(1), port);
  await one.next();
  one.send({ kind: "error", code: 0, message: "" }, port);
  expect(await it.event("tftp-stopped")).toMatchObject({ detail: { file: "f", bytes: 512 } });
});

test("another ERROR of the client is a failure with its words", async () => {
  const it = await start({ f: FILE });
  const one = await client();
  one.send(readRequest("f"), it.port);
  one.send({ kind: "error", code: 3, message: "disk full" }, (await one.next()).port);
  expect(await it.event("tftp-failed")).toMatchObject({ detail: { reason: "the client says: disk full (code 3)" } });
});

test("a client that closes its port in the middle is heard by ICMP, at once", async () => {
  const it = await start({ f: FILE });
  const one = await rawClient();
  one.send(readRequest("f"), it.port);
  const { port } = await one.next();
  one.send(ack(1), port);
  await one.next();
  one.close();
  const helper = await client("127.0.0.1", one.port);
  helper.send(ack(2), port);
  helper.close();
  closers.pop();
  expect(await it.event("tftp-failed")).toMatchObject({ detail: { reason: "the client closed its port" } });
  expect(it.server.status().running).toBe(0);
});

test("a lost DATA is sent again", async () => {
  const it = await start({ f: pattern(100) });
  const one = await client();
  one.send(readRequest("f"), it.port);
  const first = await one.next();
  const second = await one.next();
  expect(second.bytes.equals(first.bytes)).toBe(true);
  one.send(ack(1), first.port);
  await it.event("tftp-done");
});

const NEGATIVE: { name: string; send: TftpPacket | Uint8Array; code: number }[] = [
  { name: "../../etc/passwd", send: readRequest("../../etc/passwd"), code: 2 },
  { name: "..\\..\\x", send: readRequest("..\\..\\x"), code: 2 },
  { name: "/", send: readRequest("/"), code: 1 },
  { name: "an empty name", send: readRequest(""), code: 1 },
  { name: "a name of 600 bytes", send: readRequest("x".repeat(600)), code: 2 },
  { name: "mail mode", send: { kind: "read", name: "f", mode: "MAIL", options: [] }, code: 4 },
  { name: "a write request", send: { kind: "write", name: "f", mode: "octet", options: [] }, code: 2 },
  {
    name: "a write request with options",
    send: { kind: "write", name: "f", mode: "octet", options: [["tsize", "9"]] },
    code: 2,
  },
  { name: "DATA to the request port", send: { kind: "data", block: 1, data: Buffer.from("x") }, code: 5 },
  { name: "ACK to the request port", send: ack(1), code: 5 },
  { name: "OACK to the request port", send: { kind: "oack", options: [] }, code: 5 },
];
for (const { name, send, code } of NEGATIVE) {
  test(`${name}: one ERROR ${code}`, async () => {
    const it = await start({ f: FILE });
    const one = await client();
    one.send(send, it.port);
    expect((await one.next()).packet).toMatchObject({ kind: "error", code });
    await expectSilence(one, it.port);
    expect(it.server.status().running).toBe(0);
  });
}

test("rubbish on the request port is dropped: no answer, one counter, one log line", async () => {
  const it = await start({});
  const one = await client();
  const rubbish = [
    "",
    "00",
    "0000",
    "0007",
    "ffff",
    "0001",
    "000161",
    "00016100",
    "000161006f63746574",
    "000400",
    "0005",
  ];
  await expectSilence(one, it.port, ...rubbish.map((hex) => Buffer.from(hex, "hex")), {
    kind: "error",
    code: 0,
    message: "Early terminate",
  });
  expect(it.server.status().dropped).toBe(rubbish.length);
  expect(it.lines.filter((text) => text.includes("was dropped"))).toHaveLength(1);
});

test.each(["netascii", "OCTET", "Octet"])("mode %s is served as octet", async (mode) => {
  const it = await start({ f: Buffer.from("a\nb\r\n") });
  const one = await client();
  one.send({ kind: "read", name: "f", mode, options: [] }, it.port);
  expect((await one.next()).packet).toMatchObject({ kind: "data", data: Buffer.from("a\nb\r\n") });
});

test("a dangling option, repeated options and values out of range do not disturb a transfer", async () => {
  const it = await start({ f: FILE });
  const one = await client();
  one.send(
    Buffer.from(
      "\0\x01f\0octet\0blksize\x007\0BLKSIZE\x00900\0timeout\x00256\0windowsize\x000\0tsize\x00-1\0blksize\0",
      "latin1",
    ),
    it.port,
  );
  expect((await one.next()).packet).toMatchObject({ kind: "data", block: 1, data: { length: 512 } });
});

test("rubbish on a transfer's port leaves the transfer alone", async () => {
  const it = await start({ f: FILE });
  const one = await client();
  one.send(readRequest("f", ["tsize", "0"]), it.port);
  const { port } = await one.next();
  for (const hex of ["", "00", "0004", "000400", "0003", "ffff", "000161006f6374657400", "0006"])
    one.send(Buffer.from(hex, "hex"), port);
  one.send(ack(0), port);
  expect((await one.next()).packet).toMatchObject({ kind: "data", block: 1 });
});

test("one address has so many transfers at once; the rest is dropped until one ends", async () => {
  const it = await start({ f: FILE }, { limits: { perClient: 2, total: 10 } });
  const [a, b, c] = [await client(), await client(), await client()];
  for (const one of [a, b]) {
    one.send(readRequest("f"), it.port);
    await one.next();
  }
  c.send(readRequest("f"), it.port);
  const other = await client("127.0.0.2");
  expect((await fetchFile(other, it.port, "f")).bytes.equals(FILE)).toBe(true);
  await it.event("tftp-done");
  expect(c.heard).toEqual([]);
  expect(it.server.status()).toMatchObject({ running: 2, dropped: 1 });
});

test("a flood of requests from one address is cut, another address is served", async () => {
  const it = await start({ f: FILE });
  const flooder = await client();
  for (let i = 0; i < 1000; i++) {
    flooder.send(readRequest(`no-${i}`), it.port);
    // The socket's buffer holds some 250 datagrams; the flood must not be cut by that.
    if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
  }
  const other = await client("127.0.0.2");
  expect((await fetchFile(other, it.port, "f")).bytes.equals(FILE)).toBe(true);
  const { missing, dropped } = it.server.status();
  expect(missing).toBeGreaterThanOrEqual(300);
  expect(missing).toBeLessThan(500);
  expect(dropped).toBeGreaterThan(100);
  expect(it.events.filter((event) => event.kind === "tftp-missing").length).toBeLessThan(70);
});

test("ports come back: more transfers than the range has ports", async () => {
  const it = await start({ f: pattern(10) }, { ports: { kind: "range", first: 28_000, last: 28_001 } });
  const one = await client();
  const ports = new Set<number>();
  for (let i = 0; i < 6; i++) {
    ports.add((await fetchFile(one, it.port, "f")).port);
    while (it.server.status().running > 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect([...ports].sort()).toEqual([28_000, 28_001]);
});

test("a taken port of the range is passed over", async () => {
  const holder = await client("127.0.0.1", 28_100);
  const it = await start({ f: pattern(10) }, { ports: { kind: "range", first: 28_100, last: 28_101 } });
  expect((await fetchFile(await client(), it.port, "f")).port).toBe(28_101);
  holder.close();
  closers.splice(closers.indexOf(holder.close), 1);
});

test("addresses come and go; each answers from itself", async () => {
  const it = await start({ f: FILE });
  await it.server.addAddress({ ip: "127.0.0.3", mtu: 576 });
  await it.server.addAddress({ ip: "127.0.0.3" });
  const port = it.server.listening()[1]!.port;
  const one = await client();
  one.send(readRequest("f", ["blksize", "1468"]), port, "127.0.0.3");
  expect((await one.next()).packet).toEqual({ kind: "oack", options: [["blksize", "544"]] });
  it.server.removeAddress("127.0.0.3");
  it.server.removeAddress("127.0.0.3");
  expect(it.server.listening()).toHaveLength(1);
  expect(it.server.status().running).toBe(0);
});

test("start-up faults name address, port and remedy", async () => {
  const it = await start({});
  const base = {
    ports: { kind: "single-port" } as const,
    open: async () => ({ kind: "missing" }) as const,
    macOf: () => undefined,
    log: console,
    record: () => {},
  };
  await expect(serveTftp({ ...base, addresses: [{ ip: "127.0.0.1" }], port: it.port })).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: `TFTP, UDP 127.0.0.1:${it.port}: another program holds this port`,
  });
  await expect(serveTftp({ ...base, addresses: [{ ip: "203.0.113.7" }], port: 0 })).rejects.toMatchObject({
    code: "NO_INTERFACE",
    message: "TFTP, UDP 203.0.113.7:0: no interface of this machine has the address 203.0.113.7",
  });
});

test("onDone is called when a client has its file", async () => {
  const done: unknown[] = [];
  const it = await start({ f: FILE }, { onDone: (name, ip) => done.push([name, ip]) });
  await fetchFile(await client(), it.port, "f");
  await it.event("tftp-done");
  expect(done).toEqual([["f", "127.0.0.1"]]);
});

test("tftp2's client, an independent lock-step RFC 1350 peer, gets the same bytes", async () => {
  type Client = { read(name: string, push: (data: Buffer) => unknown, done: () => void): Promise<void>; close(): void };
  const tftp2 = createRequire(import.meta.url)("tftp2") as (host: string, port: number) => Client;
  for (const length of [0, 3, 511, 512, 513, 100_000]) {
    const it = await start({ f: pattern(length) });
    const peer = tftp2("127.0.0.1", it.port);
    const parts: Buffer[] = [];
    await peer.read(
      "f",
      (data) => parts.push(data),
      () => {},
    );
    peer.close();
    expect(Buffer.concat(parts).equals(pattern(length))).toBe(true);
  }
});
