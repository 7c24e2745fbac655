// docs/errors.md and docs/cli.md, made from the error table and from the commands themselves. write-docs.ts writes them
// (`npm run docs`), test/docs.test.ts compares.
import type { Command } from "commander";
import { ERRORS, GRPC_STATUS } from "../contract/errors.ts";
import { machineDocument } from "../rest/machine-document.ts";
import type { MachineView } from "../rest/schema.ts";
import { formatValue } from "./output.ts";
import { buildProgram } from "./program.ts";

const EXIT_MEANING: Record<number, string> = {
  0: "done",
  1: "a fault inside",
  2: "wrong input: the command line, a settings file, an import, a field",
  3: "the environment: a port, a permission, a disk, a file, no appliance",
  4: "not found",
  5: "refused: the state, a conflict, trust",
};

const ERRORS_INTRO = `# Errors

<!-- Made by \`npm run docs\` from server/contract/errors.ts. Change it there. -->

Every fault has a code, a message (what happened, to which thing, with which value, and what was expected) and a remedy. The
CLI prints message and remedy on standard error; the admin API answers with \`{ code, message, remedy, faults? }\`, where
\`faults\` names each place when there are several; gRPC carries the code in its status. The remedy below is the usual one; where
the place knows better, the fault says so itself.
`;

/** One heading a code. */
export function renderErrorsPage(): string {
  const exits = Object.entries(EXIT_MEANING).map(([code, meaning]) => `| ${code} | ${meaning} |\n`);
  const codes = Object.entries(ERRORS).map(
    ([code, { status, grpc, exit, remedy }]) =>
      `\n### ${code}\n\nExit ${exit} · HTTP ${status} · gRPC ${grpc} (${GRPC_STATUS[grpc]})\n\n${remedy}\n`,
  );
  return `${ERRORS_INTRO}\n## Exit codes\n\n| exit | meaning |\n|---|---|\n${exits.join("")}\n## Codes\n${codes.join("")}`;
}

const CLI_INTRO = `# The command line

<!-- Made by \`npm run docs\` from server/cli/program.ts. Change it there. -->

\`./slipway\` is a client of the admin API on \`dataDir\`/admin.sock; it has no other way to the appliance. Whoever may open that
socket (\`adminGroup\` in slipway.yaml, else the group of who started the appliance) may do everything, and every change enters
the audit log with their uid. \`-o json\` and \`-o yaml\` are for programs; tables are for people and may change.
`;

const SAMPLE: MachineView = {
  id: "",
  macs: ["52:54:00:12:34:56"],
  name: "web1",
  role: "worker",
  address: "192.0.2.50",
  lifecycle: "approved",
  activity: "off",
  createdAt: "",
  seenAt: "2026-01-02T03:04:05.000Z",
};

/** Every command's own help, then the form of files. */
export async function renderCliPage(): Promise<string> {
  const program = buildProgram("");
  const commands = program.commands.flatMap((command) => sectionsOf(command, "slipway", "##"));
  const document = await formatValue(JSON.parse(JSON.stringify(machineDocument(SAMPLE))), "yaml");
  return `${CLI_INTRO}\n${fence(helpOf(program))}${commands.join("")}\n## Machine documents\n\n${DOCUMENT_ABOUT}\n${fence(document, "yaml")}`;
}

/** A command, and below it each of its subcommands. */
function sectionsOf(command: Command, parent: string, mark: string): string[] {
  const name = `${parent} ${command.name()}`;
  const own = `\n${mark} ${name}\n\n${fence(helpOf(command))}`;
  return [own, ...command.commands.flatMap((below) => sectionsOf(below, name, `${mark}#`))];
}

const DOCUMENT_ABOUT = `\`slipway export\` writes one document a machine, separated by \`---\`, and \`slipway import\` reads exactly that back. \`spec\` is what a
person decided; \`status\` is what was observed, written for people and ignored when read. In particular \`import\` never takes
a machine's lifecycle from a file: only \`--approve\` lets machines install, because an approval restored from an old file would
install them anew. A key that is absent leaves the machine's value as it is.
`;

const fence = (text: string, language = "text") => `\`\`\`${language}\n${text.trimEnd()}\n\`\`\`\n`;

/** At a fixed width and without colour, whatever terminal the docs are made in. */
function helpOf(command: Command): string {
  let text = "";
  command.configureHelp({ helpWidth: 110 }).configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => 110,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text;
}
