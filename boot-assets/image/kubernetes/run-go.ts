// Runs a Go command at low priority, line by line: its messages go to whoever shows progress, the last of them into the
// fault. Called by toolchain.ts and compile.ts.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { SlipwayError } from "../../../server/contract/errors.ts";

/** A Go that can be started: `command` before Go's own arguments, `env` over the rest of the environment. */
export type Go = { command: readonly string[]; env: Record<string, string> };
export type GoRun = {
  go: Go;
  args: readonly string[];
  cwd: string;
  env: Record<string, string | undefined>;
  /** 0 to 19, as in nice(1). */
  niceness: number;
  /** Called with each line that Go writes to standard error. */
  onMessage?: (line: string) => void;
};

const KEPT_LINES = 20;
/** What Go prints when the module proxy does not have a version, or is not reached. */
const NOT_SERVED = /not available|\b(403|404|410) |no such host|i\/o timeout|connection refused|dial tcp/;

function faultOf(args: readonly string[], code: number | null, last: readonly string[]): SlipwayError {
  const text = `go ${args[0]} ended with ${code ?? "a signal"}:\n${last.join("\n")}`;
  const remedy = NOT_SERVED.test(text)
    ? "The module proxy did not serve what is named above. Try again; if it never does, docs/kubernetes-versions.md says how to choose another version."
    : "What was compiled is kept: the build goes on from there when it is run again.";
  return new SlipwayError("COMMAND_FAILED", text, { remedy });
}

/**
 * Runs Go to its end.
 *
 * @returns its standard output.
 * @throws SlipwayError COMMAND_FAILED with the last lines that it wrote.
 */
export async function runGo(run: GoRun): Promise<string> {
  const [program, ...before] = run.go.command as [string, ...string[]];
  const child = spawn("nice", ["-n", String(run.niceness), program, ...before, ...run.args], {
    cwd: run.cwd,
    env: { ...run.env, ...run.go.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const last: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    last.push(line);
    if (last.length > KEPT_LINES) last.shift();
    run.onMessage?.(line);
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw faultOf(run.args, code, last);
  return Buffer.concat(output).toString();
}
