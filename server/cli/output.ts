// What a command prints with, and in which form: a table for people, JSON or YAML for programs.
import { type AdminClient, openAdminClient } from "./admin-client.ts";
import { findSocket, type SocketOptions } from "./find-socket.ts";

export type Format = "table" | "json" | "yaml";
export type CommonOptions = SocketOptions & { output: Format };

/** All that a command needs of the world. */
export type Desk = {
  client: AdminClient;
  format: Format;
  now: () => number;
  isTerminal: boolean;
  /** Columns of the terminal; undefined when the output is no terminal and nothing must be cut. */
  width: number | undefined;
  print: (text: string) => void;
  /** For people only; never part of the output. */
  note: (text: string) => void;
};

export async function openDesk(options: CommonOptions): Promise<Desk> {
  const { stdout, stderr, env } = process;
  return {
    client: openAdminClient(await findSocket(options, env)),
    format: options.output,
    now: Date.now,
    isTerminal: stdout.isTTY === true,
    width: stdout.isTTY ? stdout.columns : undefined,
    print: (text) => void stdout.write(text),
    note: (text) => void stderr.write(text),
  };
}

/** Prints `value` for programs, or what `table` makes for people. */
export async function show(desk: Desk, value: unknown, table: () => string): Promise<void> {
  desk.print(desk.format === "table" ? table() : await formatValue(value, desk.format));
}

export async function formatValue(value: unknown, format: "json" | "yaml"): Promise<string> {
  if (format === "json") return `${JSON.stringify(value, null, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(value, { aliasDuplicateObjects: false });
}
