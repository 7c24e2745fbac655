// What comes back from the API: a whole body, or lines as they come. Each has exactly one end. Edge: the network's streams.
// Used by open-api.ts.
import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import type { ApiAnswer } from "./open-api.ts";

/** A list of pods or nodes of a large cluster; beyond that something is wrong. */
const MOST_BYTES = 64 * 2 ** 20;
/** One object: etcd takes 1.5 MiB, which JSON makes longer. */
const MOST_LINE_CHARACTERS = 8 * 2 ** 20;
const BROKE = "the connection broke";

type End<T> = (answer: ApiAnswer<T>) => void;

export function readBody<T>(response: IncomingMessage, end: End<T>): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) response.destroy(new Error(`the answer has over ${MOST_BYTES} bytes`));
    else chunks.push(chunk);
  });
  response.on("end", () => end(read<T>(response.statusCode ?? 0, Buffer.concat(chunks).toString("utf8"))));
  response.on("error", (error) => end({ kind: "failed", reason: error.message }));
  response.on("close", () => end({ kind: "failed", reason: BROKE }));
}

/** @param line is given each line, and says whether to go on. A status other than 200 is an answer, not lines. */
export function readLines(response: IncomingMessage, line: (text: string) => boolean, end: End<undefined>): void {
  if (response.statusCode !== 200) {
    readBody(response, end);
    return;
  }
  const decoder = new StringDecoder("utf8");
  let rest = "";
  response.on("data", (chunk: Buffer) => {
    // Only the new piece is looked through: a large object comes in hundreds.
    const [first = "", ...more] = decoder.write(chunk).split("\n");
    rest += first;
    for (const next of more) {
      if (rest.trim() !== "" && !line(rest)) return void response.destroy();
      rest = next;
    }
    if (rest.length > MOST_LINE_CHARACTERS)
      response.destroy(new Error(`a line of over ${MOST_LINE_CHARACTERS} characters`));
  });
  response.on("error", (error) => end({ kind: "failed", reason: error.message }));
  response.on("end", () => end({ kind: "ok", value: undefined }));
  response.on("close", () => end({ kind: "failed", reason: BROKE }));
}

function read<T>(status: number, text: string): ApiAnswer<T> {
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // `/readyz` answers in plain words; for everything else a text is as good as nothing, and its user sees that.
  }
  if (status >= 200 && status < 300) return { kind: "ok", value: value as T };
  const message = (value as { message?: unknown } | null)?.message;
  return {
    kind: "refused",
    status,
    reason: typeof message === "string" ? message : `HTTP ${status}: ${text.slice(0, 200)}`,
  };
}
