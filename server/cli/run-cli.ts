// One run of the CLI: command line in, exit code out. Every fault ends here, as its cause and its remedy on standard error.
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { ERRORS, SlipwayError } from "../contract/errors.ts";
import { buildProgram } from "./program.ts";

/** Wrong command lines are wrong input, as BAD_REQUEST is. */
const USAGE_EXIT = ERRORS.BAD_REQUEST.exit;

/** @returns the exit code: 0, or the fault's `exit` in docs/errors.md. */
export async function runCli(args: readonly string[], warn: (text: string) => void): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(readVersion(), (code) => {
    exitCode = code;
  });
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "slipway: ")) });
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (fault) {
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? 0 : usageFault(fault, warn);
    return tellFault(fault, warn);
  }
}

/** Commander has said what is wrong; what is left is where to read on. `slipway` alone has shown the help. */
function usageFault(fault: CommanderError, warn: (text: string) => void): number {
  if (fault.code !== "commander.help")
    warn("  `slipway --help` lists the commands, `slipway COMMAND --help` its options with examples.\n");
  return USAGE_EXIT;
}

/** Cause and remedy; a fault that is ours comes with its stack, for the report. */
export function tellFault(fault: unknown, warn: (text: string) => void): number {
  if (!(fault instanceof SlipwayError)) {
    warn(`slipway: ${fault instanceof Error ? fault.stack : String(fault)}\n  ${ERRORS.INTERNAL.remedy}\n`);
    return ERRORS.INTERNAL.exit;
  }
  const [first, ...more] = fault.message.split("\n");
  const head =
    more.length === 0
      ? `slipway: ${first}\n`
      : `slipway: ${more.length + 1} faults:\n${fault.message.replace(/^/gm, "  ")}\n`;
  warn(`${head}  ${fault.remedy}\n`);
  return ERRORS[fault.code].exit;
}

const readVersion = (): string =>
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
