// Every ACK only after its lease is on the disk, shown by a system call trace of the real server: with synchronous=FULL the
// log's fdatasync returns before each send; with NORMAL the same check must fail, or it would check nothing.
// Run it as root: node test/long/durable-ack.ts [--machines 40]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { lease, openRig } from "../server/dhcp/rig.ts";
import { judgeTrace, type Verdict } from "./durable-trace.ts";

/** Leases addresses to machines under strace. @returns a verdict per machine. */
export async function traceAcks(synchronous: "FULL" | "NORMAL", machines: number): Promise<Verdict[]> {
  const rig = await openRig();
  try {
    const trace = join(rig.dataDir, "trace");
    const calls = "trace=write,pwrite64,writev,pwritev,fdatasync,fsync,sendmsg,sendto,sendmmsg";
    const wrap = ["strace", "-f", "-qq", "-y", "-xx", "-s", "8192", "-e", calls, "-o", trace];
    const server = await rig.serve([{}], { wrap, options: { synchronous, isQuiet: true } });
    const clients = await Promise.all(Array.from({ length: 4 }, () => rig.client()));
    const macs = Array.from({ length: machines }, (_, i) => `52:54:00:aa:00:${i.toString(16).padStart(2, "0")}`);
    const ofClient = (n: number) => macs.filter((_, i) => i % clients.length === n);
    const acks = await Promise.all(
      clients.map(async (client, n) => {
        const got = [];
        for (const mac of ofClient(n)) got.push({ mac, ip: (await lease(client, mac, { waitMs: 5000 })).yourIp });
        return got;
      }),
    );
    await server.stop();
    // The columns of a lease's row stand side by side in the page.
    const expected = acks.flat().map(({ mac, ip }) => ({ mac, row: `192.0.2.0/24${ip}${mac}` }));
    return judgeTrace(readFileSync(trace, "latin1"), expected);
  } finally {
    await rig.close();
  }
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({ options: { machines: { type: "string", default: "40" } } });
  const count = Number(values.machines);
  const [full, normal] = [await traceAcks("FULL", count), await traceAcks("NORMAL", count)];
  const durable = (verdicts: Verdict[]) => verdicts.filter((one) => one.isDurable).length;
  console.log(`synchronous=FULL: ${durable(full)} of ${count} ACKs left after their lease was synced`);
  for (const bad of full.filter((one) => !one.isDurable)) console.log(`  ${bad.mac}: ${bad.why}`);
  console.log(`synchronous=NORMAL: ${durable(normal)} of ${count} (${normal.find((one) => !one.isDurable)?.why})`);
  const isRight = durable(full) === count && durable(normal) < count;
  console.log(isRight ? "The check holds, and it can fail." : "FAILED");
  process.exitCode = isRight ? 0 : 1;
}
