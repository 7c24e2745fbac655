// Mutated TLS, HTTP/2 and messages against the gRPC port, by the hundred thousand: no crash, no hang, no growth of memory.
//   node test/long/fuzz-grpc.ts --count 100000 --seed 7
// The server runs as a process of its own, so that its end and its memory are seen from outside.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { openLink } from "../../node-agent/report.ts";
import { type Attack, frameAttack, messageAttack, tlsAttack } from "./grpc-attacks.ts";
import { type Memory, serveVictim, type Victim } from "./grpc-victim.ts";
import { randomFrom } from "./seeded-random.ts";

/** Attacks at once: one connection may hold eight calls. */
const CONCURRENCY = 6;
const CHECK_EVERY = 1000;
/** The heap may differ by this much between half of the way and the end; V8 lets go of compiled code in the first. */
const MAX_GROWTH_BYTES = 2 * 1024 * 1024;
/** Shares of the three kinds. */
const TLS_SHARE = 0.1;
const FRAME_SHARE = 0.1;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { count: { type: "string" }, seed: { type: "string" } } });
  const count = Number(values.count ?? 100_000);
  const seed = Number(values.seed ?? Date.now() % 2 ** 32);
  console.log(`fuzz-grpc: ${count} attacks, seed ${seed}`);
  const startedAt = performance.now();
  const child = fork(import.meta.filename, ["victim"], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.once("exit", (code, signal) => fail(`the server ended by itself (${code ?? signal}); seed ${seed}`));
  const [victim] = (await once(child, "message")) as [Victim];
  const messages = messageAttack(victim);
  const tls = await tlsAttack(victim);
  const frames = await frameAttack(victim);
  const choose = (chance: number): Attack =>
    chance < TLS_SHARE ? tls : chance < TLS_SHARE + FRAME_SHARE ? frames : messages.attack;
  const random = randomFrom(seed);
  let done = 0;
  let early: Memory | undefined;
  const attacker = async () => {
    while (done < count) {
      const number = done++;
      await choose(random())(random);
      if (number % CHECK_EVERY === 0) await checkAlive(victim, number, seed);
      if (number % 10_000 === 0 && number > 0) {
        const { heapBytes, rssBytes } = await memoryOf(child);
        console.log(`fuzz-grpc: ${number} of ${count}, heap ${megabytes(heapBytes)}, RSS ${megabytes(rssBytes)}`);
      }
      if (number === Math.floor(count / 2)) early = await memoryOf(child);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, attacker));
  await checkAlive(victim, count, seed);
  messages.close();
  const late = await memoryOf(child);
  const growth = late.heapBytes - (early?.heapBytes ?? late.heapBytes);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const rss = `RSS ${megabytes(early?.rssBytes ?? 0)} to ${megabytes(late.rssBytes)}`;
  console.log(`fuzz-grpc: ${count} attacks in ${seconds} s; heap ${growth} bytes more, ${rss}`);
  if (growth > MAX_GROWTH_BYTES) fail(`the heap grew by more than ${MAX_GROWTH_BYTES} bytes; seed ${seed}`);
  child.removeAllListeners("exit");
  child.send("stop");
  await once(child, "exit");
  console.log("fuzz-grpc: ok");
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function fail(reason: string): never {
  console.error(`fuzz-grpc: FAILED: ${reason}`);
  process.exit(1);
}

async function memoryOf(child: ChildProcess): Promise<Memory> {
  const answer = once(child, "message");
  child.send("memory");
  return ((await answer) as [Memory])[0];
}

/** A machine that does nothing wrong is still served. */
async function checkAlive({ port }: Victim, number: number, seed: number): Promise<void> {
  const link = openLink(`127.0.0.1:${port}`, { judge: () => undefined });
  const answer = await link.now();
  link.close();
  if (answer.kind !== "answer") fail(`after attack ${number} a good call got: ${answer.reason}; seed ${seed}`);
}

if (process.argv[2] === "victim") await serveVictim();
else await main().catch((error) => fail(String(error?.stack ?? error)));
