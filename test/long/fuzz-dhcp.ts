// Mutated DHCP packets by the hundred thousand: no crash, no other error, no hang, no growth of memory.
//   node test/long/fuzz-dhcp.ts --count 100000 --seed 7
// The packets run in a worker, so that an endless loop is seen from outside; its last packet is then named by number.

import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fuzzDhcp } from "../server/dhcp/fuzz-dhcp.ts";

/** Without any progress for this long, something hangs. */
const STALL_MS = 30_000;
/** The heap may differ by this much between a tenth of the way and the end: caches, compiled code. */
const MAX_GROWTH_BYTES = 2 * 1024 * 1024;

type Progress = { done: number } | { result: object; growthBytes: number } | { fault: string };

function heapBytes(collect: () => void): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

function runWorker({ count, seed }: { count: number; seed: number }): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const post = (message: Progress) => parentPort!.postMessage(message);
  let early = 0;
  let late = 0;
  try {
    const result = fuzzDhcp({
      count,
      seed,
      onProgress: (done) => {
        if (done === Math.ceil(count / 10)) early = heapBytes(collect);
        // While the lease book is still held: afterwards its garbage would hide what it gathered.
        if (done === count) late = heapBytes(collect);
        if (done % 1000 === 0) post({ done });
      },
    });
    post({ result, growthBytes: late - early });
  } catch (cause) {
    post({
      fault:
        cause instanceof Error ? `${cause.stack}\ncaused by ${String((cause.cause as Error)?.stack)}` : String(cause),
    });
  }
}

function main(): void {
  const { values } = parseArgs({ options: { count: { type: "string" }, seed: { type: "string" } } });
  const count = Number(values.count ?? 100_000);
  const seed = Number(values.seed ?? Date.now() % 2 ** 32);
  console.log(`fuzz-dhcp: ${count} packets, seed ${seed}`);
  const startedAt = performance.now();
  const worker = new Worker(new URL(import.meta.url), { workerData: { count, seed } });
  let done = 0;
  let stall = setTimeout(hang, STALL_MS);
  function hang(): void {
    console.error(`fuzz-dhcp: FAILED: no progress for ${STALL_MS / 1000} s after packet ${done}; seed ${seed}`);
    process.exit(1);
  }
  worker.on("message", (message: Progress) => {
    clearTimeout(stall);
    if ("done" in message) {
      done = message.done;
      if (done % 10_000 === 0) console.log(`fuzz-dhcp: ${done} of ${count}`);
      stall = setTimeout(hang, STALL_MS);
    } else if ("fault" in message) {
      console.error(`fuzz-dhcp: FAILED: ${message.fault}`);
      process.exit(1);
    } else {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      console.log(`fuzz-dhcp: ${JSON.stringify(message.result)}, heap ${message.growthBytes} bytes more, ${seconds} s`);
      if (message.growthBytes <= MAX_GROWTH_BYTES) return console.log("fuzz-dhcp: ok");
      console.error(`fuzz-dhcp: FAILED: the heap grew by more than ${MAX_GROWTH_BYTES} bytes; seed ${seed}`);
      process.exit(1);
    }
  });
  worker.on("error", (cause) => {
    console.error(`fuzz-dhcp: FAILED: the worker died after packet ${done}; seed ${seed}`, cause);
    process.exit(1);
  });
}

if (isMainThread) main();
else runWorker(workerData as { count: number; seed: number });
