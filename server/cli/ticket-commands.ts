// `slipway ticket`: a boot's ticket for a machine that nobody netboots, written to a file that only its owner can read.
import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { SlipwayError } from "../contract/errors.ts";
import type { TicketBody, TicketView } from "../rest/ticket-routes.ts";
import { type CommonOptions, openDesk } from "./output.ts";

export type TicketOptions = CommonOptions & { address?: string; arch?: "amd64" | "arm64"; file?: string };

/** @throws BAD_REQUEST where the token would stand on a terminal, and so in its scroll-back. */
export async function runTicket(mac: string, options: TicketOptions): Promise<void> {
  const { address, arch, file } = options;
  const desk = await openDesk(options);
  if (file === undefined && desk.isTerminal) {
    throw new SlipwayError("BAD_REQUEST", "a ticket is a secret and is not shown on a terminal", {
      remedy: "Give --file PATH, or send the output to a file that only you can read.",
    });
  }
  const body: TicketBody = { mac, ...(address && { address }), ...(arch && { arch }) };
  const text = `${JSON.stringify(await desk.client.post<TicketView>("/v1/tickets", body))}\n`;
  if (file === undefined) return desk.print(text);
  writeFileSync(`${file}.new`, text, { mode: 0o400 });
  chmodSync(`${file}.new`, 0o400);
  renameSync(`${file}.new`, file);
  desk.note(`${file}: good for one machine's key, for 15 minutes.\n`);
}
