// The appliance's log, and the only writer to its standard output: pretty for people, JSON lines (pino) for programs.
// server/main.ts opens it once and hands it to every room.
import { styleText } from "node:util";
import pino from "pino";
import type { Log, LogFields } from "./boot/ports.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
/** Where lines go: standard output, or a list in tests. */
export type LogOutput = { write(text: string): unknown; isTTY?: boolean };
export type LogOptions = {
  level: LogLevel;
  format: "pretty" | "json";
  output?: LogOutput;
  /** Milliseconds since 1970. */
  now?: () => number;
};

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const COLOUR = { debug: "gray", info: "green", warn: "yellow", error: "red" } as const;

/** @returns a log; a line below `level` costs one comparison. It never throws and never waits. */
export function openLog(options: LogOptions): Log {
  const output = options.output ?? process.stdout;
  return options.format === "json" ? openJson(options, output) : openPretty(options, output);
}

function openJson({ level, now = Date.now }: LogOptions, output: LogOutput): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
    },
    { write: (line: string) => void output.write(line) },
  );
  const write = (at: LogLevel) => (text: string, fields?: LogFields) => logger[at](fields ?? {}, text);
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function openPretty({ level, now = Date.now }: LogOptions, output: LogOutput): Log {
  const paint = (colour: Parameters<typeof styleText>[0], text: string) =>
    output.isTTY === true ? styleText(colour, text, { validateStream: false }) : text;
  const write = (at: LogLevel) => (text: string, fields?: LogFields) => {
    if (RANK[at] < RANK[level]) return;
    const time = paint("gray", clock(now()));
    const tail = showFields(fields);
    output.write(`${time} ${paint(COLOUR[at], at.padEnd(5))} ${plain(text)}${tail && paint("gray", `  ${tail}`)}\n`);
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** Local wall time: who reads this sits beside the machine. */
const clock = (ms: number) => {
  const d = new Date(ms);
  return [d.getHours(), d.getMinutes(), d.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
};

/** Names and files in the text come from the wire: no line breaks, no escape sequences for the admin's terminal. */
const plain = (text: string) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\x${c.codePointAt(0)!.toString(16).padStart(2, "0")}`);

function showFields(fields: LogFields | undefined): string {
  return Object.entries(fields ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${plain(showValue(value))}`)
    .join(" ");
}

function showValue(value: unknown): string {
  // An error's stack is for the JSON form; one line says what it was and what was under it.
  if (value instanceof Error)
    return value.cause instanceof Error ? `${value.message} (${value.cause.message})` : value.message;
  if (typeof value === "string") return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  return typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
}
