// One run of the CLI: command line in, exit code out. Every fault ends here, as its cause and its remedy on standard error.
import { readFileSync } from "node:fs";
import { type Command, CommanderError } from "commander";
import { ERRORS } from "../contract/errors.ts";
import { runKubectl } from "./kubectl-commands.ts";
import { buildProgram } from "./program.ts";
import { tellFault } from "./tell-fault.ts";

/** Wrong command lines are wrong input, as BAD_REQUEST is. */
const USAGE_EXIT = ERRORS.BAD_REQUEST.exit;

/** @returns the exit code: 0, or the fault's `exit` in docs/errors.md. */
export async function runCli(args: readonly string[], warn: (text: string) => void): Promise<number> {
  // All that follows belongs to kubectl, `--help` and `-o` too.
  if (args[0] === "kubectl") return runKubectl(args.slice(1)).catch((fault) => tellFault(fault, warn));
  const program = buildProgram(readVersion());
  for (const command of commandsBelow(program)) {
    command
      .exitOverride()
      .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "slipway: ")) });
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (fault) {
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? 0 : usageFault(fault, warn);
    return tellFault(fault, warn);
  }
}

/** A command with all its subcommands. */
const commandsBelow = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsBelow)];

/** Commander has said what is wrong; what is left is where to read on. `slipway` alone has shown the help. */
function usageFault(fault: CommanderError, warn: (text: string) => void): number {
  if (fault.code !== "commander.help")
    warn("  `slipway --help` lists the commands, `slipway COMMAND --help` its options with examples.\n");
  return USAGE_EXIT;
}

const readVersion = (): string =>
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
