// What the benches of this folder share: a server as a process, its CPU time and memory, clients side by side, medians.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** CPU seconds that a process has used, its own and the kernel's for it. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export const rssMiB = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);

/** Starts a server; resolves when it prints `ready`, or at once when it never does (`ready` empty). */
export async function startServer(command: string[], ready: string): Promise<ChildProcess & { pid: number }> {
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  if (ready !== "") {
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on("data", (text: Buffer) => text.includes(ready) && resolve());
      child.once("exit", (code) => reject(new Error(`${command.join(" ")} ended with ${code}`)));
    });
  }
  return child as ChildProcess & { pid: number };
}

/** Runs one command and fails, with what it said, when it does. */
export function runClient(command: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      said = (said + text.toString()).slice(-2000);
    });
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${command.join(" ")} ended with ${code}: ${said}`)),
    );
  });
}

export type Sample = { megabytesPerSecond: number; cpuSecondsPerGigabyte: number };

/** Runs `clients` commands at once and measures the server. */
export async function sample(serverPid: number, commands: string[][], totalBytes: number): Promise<Sample> {
  const cpu = cpuSeconds(serverPid);
  const began = performance.now();
  await Promise.all(commands.map(runClient));
  const seconds = (performance.now() - began) / 1000;
  return {
    megabytesPerSecond: totalBytes / 1e6 / seconds,
    cpuSecondsPerGigabyte: (cpuSeconds(serverPid) - cpu) / (totalBytes / 1e9),
  };
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

export function printRow(name: string, samples: readonly Sample[]): void {
  const rate = median(samples.map((one) => one.megabytesPerSecond)).toFixed(1);
  const cpu = median(samples.map((one) => one.cpuSecondsPerGigabyte)).toFixed(2);
  console.log(`${name.padEnd(44)} ${rate.padStart(9)} MB/s ${cpu.padStart(8)} CPU s/GB`);
}
