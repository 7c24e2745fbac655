// `slipway ticket`: its options and examples. program.ts adds it.
import { type Command, Option } from "commander";
import { client, examples } from "./command-parts.ts";
import type { TicketOptions } from "./ticket-commands.ts";

export function addTicket(program: Command): void {
  client(
    program
      .command("ticket")
      .summary("a ticket for a machine that is not netbooted")
      .argument("<mac>", "the MAC address that it will show"),
    ["json"],
    "json",
  )
    .description(
      "Makes the ticket that a netboot would have brought, for a machine whose root is started by other means (a container node): it is put at /run/slipway/ticket.json there, and the agent enrols with it, once. Its token is a secret.",
    )
    .option("--file <path>", "write it to this file, readable by its owner only")
    .option("--address <ip>", "the appliance's address as the machine reaches it (default: the first served)")
    .addOption(new Option("--arch <arch>", "the machine's architecture, where it is known").choices(["amd64", "arm64"]))
    .addHelpText("after", examples("slipway ticket 52:54:00:12:34:56 --file /run/node1/ticket.json"))
    .action(async (mac: string, options: TicketOptions) => {
      const { runTicket } = await import("./ticket-commands.ts");
      await runTicket(mac, options);
    });
}
