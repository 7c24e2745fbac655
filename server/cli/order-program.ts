// The commands that order something of machines, their options and examples; program.ts adds them to its own.
import type { Command } from "commander";
import { CLUSTER_NAME, client, examples } from "./command-parts.ts";
import type { InstallOptions, OrderOptions } from "./order-commands.ts";

export function addOrderCommands(program: Command): void {
  addInstall(program);
  for (const verb of ["reboot", "shutdown", "reset"] as const) addVerb(program, verb);
}

const MACHINES = "MACs, names or beginnings of ids; commas or blanks between them";

function addInstall(program: Command): void {
  client(program.command("install").summary("install machines (anew)").argument("<machine...>", MACHINES))
    .description(
      "Orders an install: of a machine that is not installed yet, of one that stopped on the way, or anew of one that is. It counts as approval. The machine does it as soon as it is booted from the network; one that runs from its disk is restarted for that.",
    )
    .option("--wipe", "what stands on the disk may go, whoever made it")
    .option("--yes", "do not ask")
    .option("--cluster-name <name>", CLUSTER_NAME)
    .addHelpText(
      "after",
      examples(
        "slipway install 52:54:00:12:34:56",
        "slipway install web1,web2 --wipe --yes",
        "slipway install cp1 --yes --cluster-name rack1",
      ),
    )
    .action(async (refs: string[], options: InstallOptions) => {
      const { runInstall } = await import("./order-commands.ts");
      await runInstall(refs, options);
    });
}

const VERBS = {
  reboot: {
    summary: "restart machines",
    about: "Restarts machines that are in touch: their agents stop the services first.",
  },
  shutdown: {
    summary: "switch machines off",
    about: "Switches machines off that are in touch: their agents stop the services first.",
  },
  reset: {
    summary: "wipe what an install made",
    about:
      "Wipes what an install made on the system disk, configuration, keys and the cluster's data included, and restarts the machine. It is discovered then, and needs approval to install again; name, role and address stay. One that is not in touch is wiped as soon as its agent is heard.",
  },
} as const;

function addVerb(program: Command, verb: keyof typeof VERBS): void {
  const { summary, about } = VERBS[verb];
  const command = client(program.command(verb).summary(summary).argument("<machine...>", MACHINES)).description(about);
  if (verb === "reset") command.option("--yes", "do not ask").option("--cluster-name <name>", CLUSTER_NAME);
  const more = verb === "reset" ? ["slipway reset cp1 --yes --cluster-name rack1"] : [];
  command
    .addHelpText("after", examples(`slipway ${verb} 52:54:00:12:34:56`, `slipway ${verb} web1,web2 -o json`, ...more))
    .action(async (refs: string[], options: OrderOptions) => {
      const { runVerb } = await import("./order-commands.ts");
      await runVerb(verb, refs, options);
    });
}
