// Every command, its options and examples: what `slipway --help` says and docs/cli.md is made from (`npm run docs`). Actions are
// loaded when they run, so that `slipway machines` does not wait for what `serve` needs.
import { Command } from "commander";
import { addClusterCommands } from "./cluster-program.ts";
import { CLUSTER_NAME, client, examples } from "./command-parts.ts";
import type { EventOptions } from "./event-commands.ts";
import type { ExportOptions, ImportOptions } from "./file-commands.ts";
import type { MoveOptions, RemoveOptions, SetOptions } from "./machine-commands.ts";
import { addOrderCommands } from "./order-program.ts";
import type { CommonOptions } from "./output.ts";
import { addTicket } from "./ticket-program.ts";

export function buildProgram(version: string): Command {
  const program = new Command("slipway")
    .description("One box turns bare metal into a Kubernetes cluster.")
    .version(version, "-V, --version")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .addHelpText("after", FIRST_STEPS);
  addServe(program);
  addMachineCommands(program);
  addLifecycleCommands(program);
  addOrderCommands(program);
  addFileCommands(program);
  addClusterCommands(program);
  addEventCommands(program);
  addStatusCommands(program);
  addTicket(program);
  return program;
}

const FIRST_STEPS = `
First steps:
  slipway status                            what the appliance serves, and alarms
  slipway machines                          the machines it has seen
  slipway cluster create NAME               a cluster for them: its secrets and its endpoint
  slipway set MAC --role worker --approve   give one a role, and let it install
  slipway events MAC --follow               watch it boot

The appliance is found by --socket, then SLIPWAY_SOCKET, then dataDir of slipway.yaml (here, or beside this program).
Exit codes: 0 done, 1 a fault inside, 2 wrong input, 3 the environment, 4 not found, 5 refused.
`;

function addServe(program: Command): void {
  program
    .command("serve")
    .summary("run the appliance, in the foreground")
    .description(
      "Runs the appliance in the foreground until Ctrl-C or SIGTERM. Without an interface it serves no DHCP, and says how to.",
    )
    .option("--config <file>", "settings file (default: ./slipway.yaml, or the one beside this program)")
    .option("--interface <name...>", "network interface to serve, with default settings unless the file has it")
    .addHelpText("after", examples("slipway serve --interface eth1", "slipway serve --config /etc/slipway.yaml"))
    .action(async ({ config, interface: interfaces }: { config?: string; interface?: string[] }) => {
      const { serve } = await import("../main.ts");
      await serve({ ...(config ? { configFile: config } : {}), ...(interfaces ? { interfaces } : {}) });
    });
}

function addMachineCommands(program: Command): void {
  client(
    program
      .command("machines")
      .summary("list machines, or show one")
      .argument("[machine]", "MAC, name or beginning of the id"),
  )
    .description("Lists all machines, or shows all that is known about one.")
    .addHelpText(
      "after",
      examples("slipway machines", "slipway machines web1", "slipway machines 52:54:00:12:34:56 -o json"),
    )
    .action(async (ref: string | undefined, options: CommonOptions) => {
      const { runMachines } = await import("./machine-commands.ts");
      await runMachines(ref, options);
    });
  client(
    program
      .command("set")
      .summary("change machines")
      .argument("<machine...>", "MACs, names or beginnings of ids; commas or blanks between them"),
  )
    .description(
      "Changes fields of machines, all of them or none. A MAC that nobody knows is written down as a new machine.",
    )
    .option("--role <role>", "controlplane, worker, or a role that a file defines")
    .option("--cluster <name>", "its cluster, where its role alone does not say it")
    .option("--name <name>", "host name (one machine)")
    .option("--address <ip>", "IPv4 address, reserved for it from approval on (one machine)")
    .option("--boot <what>", "what it boots from the network: os, disk or ignore")
    .option("--approve", "let it install")
    .option("--unset <field...>", "clear role, cluster, name, address or boot")
    .addHelpText(
      "after",
      examples(
        "slipway set 52:54:00:12:34:56 --role controlplane --name cp1 --address 192.0.2.10 --approve",
        "slipway set 52:54:00:12:34:57,52:54:00:12:34:58 --role worker --approve",
        "slipway set web1 --boot disk",
        "slipway set web1 --cluster rack1",
        "slipway set web1 --unset boot,address",
      ),
    )
    .action(async (refs: string[], options: SetOptions) => {
      const { runSet } = await import("./machine-commands.ts");
      await runSet(refs, options);
    });
}

const MOVES = {
  approve: {
    summary: "let machines install",
    about:
      "Approves machines: the next network boot may install them. A machine that is installed already stays as it is.",
    undo: "take the approval back",
  },
  retire: {
    summary: "take machines out of service",
    about: "Retires machines: they boot from their disk and get nothing else from here.",
    undo: "take it back: the machine is installed again, or discovered when it never was",
  },
} as const;

function addLifecycleCommands(program: Command): void {
  for (const verb of ["approve", "retire"] as const) {
    const { summary, about, undo } = MOVES[verb];
    const command = client(
      program.command(verb).summary(summary).argument("<machine...>", "MACs, names or beginnings of ids"),
    )
      .description(about)
      .option("--undo", undo);
    if (verb === "retire") command.option("--cluster-name <name>", CLUSTER_NAME);
    command
      .addHelpText("after", examples(`slipway ${verb} 52:54:00:12:34:56`, `slipway ${verb} web1 web2 --undo`))
      .action(async (refs: string[], options: MoveOptions) => {
        const { runMove } = await import("./machine-commands.ts");
        await runMove(verb, refs, options);
      });
  }
  client(program.command("rm").summary("forget machines").argument("<machine...>", "MACs, names or beginnings of ids"))
    .description(
      "Removes machines from the inventory; their events and audit entries stay. A machine that is still there comes back as discovered.",
    )
    .option("--yes", "do not ask")
    .option("--cluster-name <name>", CLUSTER_NAME)
    .addHelpText("after", examples("slipway rm 52:54:00:12:34:56", "slipway rm web1 web2 --yes"))
    .action(async (refs: string[], options: RemoveOptions) => {
      const { runRemove } = await import("./machine-commands.ts");
      await runRemove(refs, options);
    });
}

const FILE_FORM = `
CSV: the first line names the columns, any of mac, role, cluster, name, address, boot, uuid, serial; several MACs of one machine
stand in one cell, with blanks between them. YAML: a stream of Machine documents, as \`slipway export\` writes them.
What a row does not say stays as it is.
`;

function addFileCommands(program: Command): void {
  client(
    program
      .command("import")
      .summary("create and change machines from a file")
      .argument("<file>", "FILE.csv or FILE.yaml"),
  )
    .description(
      "Creates and changes machines from a file. Every row is checked, and none is written when one is wrong.",
    )
    .option("--approve", "let them all install")
    .option("--dry-run", "check only")
    .addHelpText(
      "after",
      FILE_FORM + examples("slipway import rack1.csv --dry-run", "slipway import rack1.csv --approve"),
    )
    .action(async (file: string, options: ImportOptions) => {
      const { runImport } = await import("./file-commands.ts");
      await runImport(file, options);
    });
  client(program.command("export").summary("write all machines as a file"), ["yaml", "csv", "json"], "yaml")
    .description(
      "Writes all machines: YAML (a stream of Machine documents) and CSV are what `slipway import` reads back.",
    )
    .option("--site", "clusters, roles and machines, as `slipway apply` reads them back")
    .addHelpText(
      "after",
      examples(
        "slipway export > machines.yaml",
        "slipway export -o csv > machines.csv",
        "slipway export --site > site.yaml",
      ),
    )
    .action(async (options: ExportOptions) => {
      const { runExport } = await import("./file-commands.ts");
      await runExport(options);
    });
}

function addEventCommands(program: Command): void {
  client(
    program
      .command("events")
      .summary("what happened, in plain words")
      .argument("[machine]", "MAC, name or beginning of the id"),
  )
    .description(
      "Shows what happened: local time, time since that machine's event before, phase of the boot, and words.",
    )
    .option("-f, --follow", "go on with what happens, until Ctrl-C")
    .option("--since <when>", "only events since 30m, 2h, 7d ago, or a date and time")
    .option("--limit <n>", "at most so many, the newest")
    .addHelpText(
      "after",
      examples(
        "slipway events 52:54:00:12:34:56 --follow",
        "slipway events --since 2h",
        "slipway events web1 -o json | jq .[].text",
      ),
    )
    .action(async (ref: string | undefined, options: EventOptions) => {
      const { runEvents } = await import("./event-commands.ts");
      await runEvents(ref, options);
    });
  client(
    program
      .command("logs")
      .summary("a machine's own log lines")
      .argument("<machine>", "MAC, name or beginning of the id"),
  )
    .description("Shows what a machine's kernel and agent logged.")
    .option("--limit <n>", "at most so many, the newest")
    .addHelpText("after", examples("slipway logs web1", "slipway logs 52:54:00:12:34:56 --limit 2000"))
    .action(async (ref: string, options: CommonOptions & { limit?: string }) => {
      const { runLogs } = await import("./event-commands.ts");
      await runLogs(ref, options);
    });
}

function addStatusCommands(program: Command): void {
  client(program.command("status").summary("the appliance itself"))
    .description("Shows alarms, interfaces with their DHCP mode and why, images, and how many machines there are.")
    .addHelpText("after", examples("slipway status", "slipway status -o json | jq .alarms"))
    .action(async (options: CommonOptions) => {
      const { runStatus } = await import("./status-commands.ts");
      await runStatus(options);
    });
  client(program.command("audit").summary("who changed what"))
    .description("Shows who changed what. Each entry carries the hash of the one before it.")
    .option("--verify", "check that no entry was changed or removed")
    .option("--limit <n>", "at most so many, the newest")
    .addHelpText("after", examples("slipway audit", "slipway audit --verify"))
    .action(async (options: CommonOptions & { verify?: boolean; limit?: string }) => {
      const { runAudit } = await import("./status-commands.ts");
      await runAudit(options);
    });
}
