// What several of program.ts' commands are built from: options that every client of the appliance has, and examples in help.
import { type Command, Option } from "commander";

const FORMATS = ["table", "json", "yaml"];

/** What a command that may end a cluster says of its --cluster-name. */
export const CLUSTER_NAME = "the cluster whose last data this takes away, to say that it is meant";

export const examples = (...lines: string[]) => `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`;

/** What every command that asks the appliance has. */
export function client(command: Command, formats = FORMATS, first = "table"): Command {
  return command
    .addOption(new Option("-o, --output <format>", "form of the output").choices(formats).default(first))
    .option("--socket <path>", "admin socket of the appliance")
    .option("--config <file>", "settings file that says where the socket is");
}
