// One CLI run inside the test's own process: what it printed, what it said on the side, how it ended.
import { vi } from "vitest";
import { runCli } from "../../../server/cli/run-cli.ts";

export type Run = { code: number; out: string; err: string };

/** @param socket goes in as SLIPWAY_SOCKET, as a shell would have it. */
export async function run(socket: string, ...args: string[]): Promise<Run> {
  let out = "";
  let err = "";
  const take = (sink: (text: string) => void) => (text: unknown) => {
    sink(String(text));
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(take((text) => (out += text))),
    vi.spyOn(process.stderr, "write").mockImplementation(take((text) => (err += text))),
  ];
  vi.stubEnv("SLIPWAY_SOCKET", socket);
  try {
    const code = await runCli(args, (text) => void process.stderr.write(text));
    return { code, out, err };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}
