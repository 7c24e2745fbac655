// 100,000 mutated raw HTTP requests against the boot app: no crash, no hang, no 500, no leak.
//   node --expose-gc --max-semi-space-size=8 test/long/fuzz-http.ts [--count 100000] [--seed N]
// Each request has a connection of its own and closes its sending side: what the server cannot finish, it must end.
import { connect } from "node:net";
import { ask, bootApp } from "../server/http/boot-app.ts";
import { fuzzArguments, MemoryWatch, mutate, openDescriptors, seeded } from "./mutate.ts";

const { count, seed } = fuzzArguments();
const random = seeded(seed);
const CONNECTIONS = 32;
const HANG_MS = 20_000;

const it = await bootApp({}, { imageBytes: 300_000 });
const image = it.image.manifest.id;
const etag = `"${it.image.manifest.kernel.sha256}"`;
const firmware = "Host: 192.0.2.1\r\nAccept: */*\r\nUser-Agent: UefiHttpBoot/1.0\r\n";
const REQUESTS = [
  `GET /boot/entry.ipxe HTTP/1.1\r\nHost: x\r\nUser-Agent: iPXE/1.21.1\r\nConnection: keep-alive\r\n\r\n`,
  `GET /boot/script?mac=52:54:00:12:34:56&uuid=00112233-4455-6677-8899-aabbccddeeff&arch=x86_64&platform=efi HTTP/1.1\r\nHost: x\r\n\r\n`,
  `GET /boot/ticket/3f2b9c1e-0000-4000-8000-000000000000 HTTP/1.1\r\nHost: x\r\n\r\n`,
  `HEAD /ipxe-http/52-54-00-12-34-56/x86_64/snponly.efi HTTP/1.1\r\n${firmware}\r\n`,
  `GET /ipxe/bios/autoexec.ipxe HTTP/1.1\r\n${firmware}\r\n`,
  `GET /image/${image}/kernel HTTP/1.1\r\n${firmware}Range: bytes=1000-1999\r\nIf-Match: ${etag}\r\n\r\n`,
  `GET //image//${image}//initrd HTTP/1.1\r\nHost: x\r\nIf-Range: ${etag}\r\nRange: bytes=-500\r\n\r\n`,
  `GET /image/${image}/kernel HTTP/1.1\r\nHost: x\r\nIf-None-Match: ${etag}\r\nIf-Modified-Since: Tue, 24 Nov 2026 20:00:00 GMT\r\n\r\n`,
  `POST /boot/script HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Type: application/json\r\n\r\n{"a"}`,
  `GET /boot.sig HTTP/1.0\r\n\r\n`,
].map((text) => Buffer.from(text, "latin1"));

const statuses = new Map<string, number>();
const failures: string[] = [];

/** Sends one mutated request from a loopback address of its own series (one address has only 28,000 ports). */
function send(number: number): Promise<void> {
  const bytes = mutate(REQUESTS[random(REQUESTS.length)]!, random, 2);
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: it.port, localAddress: `127.0.${1 + (number % 200)}.1` });
    let head = "";
    const timer = setTimeout(() => {
      failures.push(`no end after ${HANG_MS} ms: ${JSON.stringify(bytes.toString("latin1"))}`);
      socket.destroy();
    }, HANG_MS);
    socket.on("connect", () => socket.end(bytes));
    socket.on("data", (part) => {
      if (head.length < 40) head += part.toString("latin1", 0, 40);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? "none";
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status.startsWith("5")) failures.push(`${status}: ${JSON.stringify(bytes.toString("latin1"))}`);
      resolve();
    });
  });
}

async function assertAlive(): Promise<void> {
  const { status, body } = await ask(it.port, `/image/${image}/uki`);
  if (status !== 200 || !body.equals(it.image.uki)) failures.push("a good request got a wrong answer");
}

console.log(`fuzz-http: ${count} mutations, seed ${seed}`);
process.on("uncaughtException", (error) => {
  console.error(`FAILED, seed ${seed}: an error escaped:`, error);
  process.exit(1);
});
const before = openDescriptors();
const began = performance.now();
const memory = new MemoryWatch(count);
for (let done = 0; done < count; ) {
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => send(done + i)));
  done += CONNECTIONS;
  if (done % (CONNECTIONS * 100) === 0) {
    await assertAlive();
    memory.look(done);
    it.events.length = 0; // the test's own record, not the server's
    it.lines.length = 0;
  }
  if (done % (CONNECTIONS * 500) === 0)
    console.log(`  ${done} requests, ${Math.round((performance.now() - began) / 1000)} s`);
}
const figures = memory.figures();
await new Promise((resolve) => setTimeout(resolve, 500));
const after = openDescriptors();
await it.close();
console.log(
  `answers: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}, ${Math.round((performance.now() - began) / 1000)} s`,
);
console.log(`descriptors ${before} → ${after}, RSS ${JSON.stringify(figures)}`);
if (after > before + 2) failures.push(`${after - before} descriptors leaked`);
if (figures.growthMiB > 48) failures.push(`RSS grew by ${figures.growthMiB} MiB`);
console.log(failures.length === 0 ? "PASSED" : `FAILED, seed ${seed}:\n${failures.slice(0, 20).join("\n")}`);
process.exitCode = failures.length === 0 ? 0 : 1;
