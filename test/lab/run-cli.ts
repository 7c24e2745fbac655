// The project's own CLI, run as a person would against a rack's appliance. The cluster lab and the tests do with it what the
// documentation says, and nothing else. Called by cluster.ts and tests.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SlipwayError } from "../../server/contract/errors.ts";
import { type LabProcess, spawnProcess } from "./namespace-process.ts";

const SLIPWAY = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "slipway");

export type CliResult = { code: number; stdout: string; stderr: string };
export type CliOptions = { env?: NodeJS.ProcessEnv; input?: string; timeoutMs?: number; mayFail?: boolean };
export type Cli = (args: readonly string[], options?: CliOptions) => Promise<CliResult>;

/**
 * `./slipway ARGS` against this admin socket.
 * @throws COMMAND_FAILED with what it said when it ends with another code than 0, unless `mayFail`.
 */
export function openCli(adminSocket: string): Cli {
  return async (args, { env = {}, input = "", timeoutMs = 60_000, mayFail = false } = {}) => {
    const child: LabProcess = spawnProcess([SLIPWAY, ...args], { env: { SLIPWAY_SOCKET: adminSocket, ...env }, input });
    const code = await child.ended(timeoutMs);
    const result = { code, stdout: child.stdout(), stderr: child.stderr() };
    if (code === 0 || mayFail) return result;
    const said = `${result.stderr}${result.stdout}`.trim();
    throw new SlipwayError("COMMAND_FAILED", `slipway ${args.join(" ")} ended with ${code}: ${said}`);
  };
}
