// Where the log's lines go: standard output, whatever becomes of it. A reader that went away, one that stands still, or a full
// disk costs lines and never the appliance; how many is told when lines can be written again. server/main.ts opens it.
import { fstatSync, writeSync } from "node:fs";
import type { LogOutput } from "../log.ts";

export type OutputWatch = {
  /** The first line that could not be written, and why. */
  onLost: (reason: string) => void;
  /** Lines can be written again; so many were lost. */
  onBack: (lines: number, reason: string) => void;
};
export type Output = LogOutput & { watch(watch: OutputWatch): void };

/** A reader that stands still (a paused pager) may fall so far behind. */
const MAX_WAITING_BYTES = 1024 * 1024;

const REASONS: Record<string, string> = {
  EPIPE: "the program that read it has ended",
  ENOSPC: "its disk was full",
  EDQUOT: "its quota was used up",
};

/** Takes over standard output and standard error: their errors are no end of the appliance, as they are of other commands. */
export function openOutput(): Output {
  const { stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.removeAllListeners("error").on("error", () => {});
  const output = new SafeOutput(isFile() ? writeFile : (text) => writeStream(stdout, text), stdout.isTTY === true);
  stdout.on("error", (error: NodeJS.ErrnoException) => output.lose(error));
  return output;
}

/** Tells what writing one line came to; undefined when it was taken. */
type Write = (text: string) => NodeJS.ErrnoException | undefined;

class SafeOutput implements Output {
  readonly isTTY: boolean;
  readonly #write: Write;
  #watch: OutputWatch | undefined;
  #lost = 0;
  #reason = "";
  /** Nobody will ever read from a pipe whose reader has ended. */
  #isGone = false;

  constructor(write: Write, isTTY: boolean) {
    this.#write = write;
    this.isTTY = isTTY;
  }

  watch(watch: OutputWatch): void {
    this.#watch = watch;
    if (this.#lost > 0) watch.onLost(this.#reason);
  }

  write(text: string): void {
    if (this.#isGone) return;
    const error = this.#write(text);
    if (error === undefined) this.#tellLost();
    else this.lose(error);
  }

  lose(error: NodeJS.ErrnoException): void {
    this.#lost++;
    if (this.#isGone) return;
    this.#isGone = error.code === "EPIPE";
    this.#reason = REASONS[error.code ?? ""] ?? error.message;
    if (this.#lost === 1 || this.#isGone) this.#watch?.onLost(this.#reason);
  }

  #tellLost(): void {
    const lost = this.#lost;
    this.#lost = 0;
    if (lost > 0) this.#watch?.onBack(lost, this.#reason);
  }
}

function isFile(): boolean {
  try {
    return fstatSync(1).isFile();
  } catch {
    return false; // Started with standard output closed: each write then says so.
  }
}

/** Straight to the descriptor: Node's stream for files does not come back from a full disk. */
const writeFile: Write = (text) => {
  try {
    writeSync(1, text);
    return undefined;
  } catch (cause) {
    return cause as NodeJS.ErrnoException;
  }
};

/** Errors of a stream come later, by its event. */
function writeStream(stream: NodeJS.WriteStream, text: string): NodeJS.ErrnoException | undefined {
  if (stream.writableLength > MAX_WAITING_BYTES) return new Error("the program that reads it stood still");
  stream.write(text);
  return undefined;
}
