// `slipway ticket`: a boot's ticket for a machine that nobody netboots, written to a file that only its owner can read.
import { renameSync, rmSync, writeFileSync } from "node:fs";
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
  writeSecret(file, text);
  desk.note(`${file}: good for one machine's key, for 15 minutes.\n`);
}

/** Under a name that did not exist: what somebody laid there, a link or an open file, gets no token. */
function writeSecret(file: string, text: string): void {
  const partial = `${file}.${process.pid}.new`;
  try {
    rmSync(partial, { force: true });
    writeFileSync(partial, text, { mode: 0o400, flag: "wx" });
    renameSync(partial, file);
  } catch (cause) {
    rmSync(partial, { force: true });
    const message = `${file} cannot be written: ${(cause as Error).message}`;
    throw new SlipwayError("NO_PERMISSION", message, { cause, remedy: "Name a file where this user may write." });
  }
}
