// The CLI's only way to the appliance: HTTP over its admin socket. Whatever goes wrong becomes a SlipwayError with a cause
// and a remedy.
import { readFileSync, statSync } from "node:fs";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { ERRORS, type ErrorCode, SlipwayError } from "../contract/errors.ts";
import type { ErrorBody } from "../rest/schema.ts";

const ANSWER_MS = 60_000;
/** Four of the server's empty lines. */
const SILENCE_MS = 60_000;

export type AdminClient = {
  get: <T>(path: string, query?: Query) => Promise<T>;
  getText: (path: string, query?: Query) => Promise<string>;
  post: <T>(path: string, body: unknown) => Promise<T>;
  /** A file of any size as the request's body. */
  upload: <T>(path: string, upload: Upload, query?: Query) => Promise<T>;
  /** Objects of an endless stream; it ends when the appliance goes. */
  follow: <T>(path: string, query?: Query) => AsyncGenerator<T>;
};
export type Upload = { body: Readable; type: string; bytes: number };
export type Query = Record<string, string | number | undefined>;

export function openAdminClient(socketPath: string): AdminClient {
  const ask = async (method: string, path: string, body?: unknown): Promise<string> => {
    const response = await send(socketPath, method, path, body);
    const text = await readAll(response);
    if ((response.statusCode ?? 500) >= 400) throw faultOf(response.statusCode, text);
    return text;
  };
  return {
    get: async (path, query) => JSON.parse(await ask("GET", path + queryText(query))),
    getText: (path, query) => ask("GET", path + queryText(query)),
    post: async (path, body) => JSON.parse(await ask("POST", path, body)),
    upload: async (path, upload, query) => {
      const headers = { "content-type": upload.type, "content-length": upload.bytes };
      const response = await request(socketPath, "POST", path + queryText(query), headers, (outgoing) => {
        upload.body.once("error", (error) => outgoing.destroy(error));
        upload.body.pipe(outgoing);
      });
      const text = await readAll(response);
      if ((response.statusCode ?? 500) >= 400) throw faultOf(response.statusCode, text);
      return JSON.parse(text);
    },
    follow: async function* <T>(path: string, query?: Query) {
      const response = await send(socketPath, "GET", path + queryText(query));
      if (response.statusCode !== 200) throw faultOf(response.statusCode, await readAll(response));
      response.setTimeout(SILENCE_MS, () => response.destroy());
      try {
        for await (const line of createInterface({ input: response })) if (line !== "") yield JSON.parse(line) as T;
      } catch {
        // The appliance went away in the middle of a line: the caller asks again from the last whole event.
      }
    },
  };
}

function queryText(query: Query = {}): string {
  const given = Object.entries(query).filter((pair) => pair[1] !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([k, v]): [string, string] => [k, String(v)]))}`;
}

function send(socketPath: string, method: string, path: string, body?: unknown): Promise<IncomingMessage> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers =
    payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
  return request(socketPath, method, path, headers, (outgoing) => void outgoing.end(payload));
}

function request(
  socketPath: string,
  method: string,
  path: string,
  headers: Record<string, string | number>,
  write: (outgoing: ClientRequest) => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ socketPath, method, path, headers, timeout: ANSWER_MS, agent: false }, resolve);
    outgoing.once("timeout", () =>
      outgoing.destroy(
        new SlipwayError("NOT_RUNNING", `the appliance on ${socketPath} has not answered for ${ANSWER_MS / 1000} s`),
      ),
    );
    outgoing.once("error", (error) => reject(connectFault(error, socketPath)));
    write(outgoing);
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk);
  } catch (cause) {
    throw new SlipwayError("NOT_RUNNING", "the appliance went away while it answered", { cause });
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The appliance's own words; a code that this CLI does not know keeps its message and remedy. */
function faultOf(status: number | undefined, text: string): SlipwayError {
  // Fastify's own answer while it closes; it has not the form of ours.
  if (status === 503) return new SlipwayError("NOT_RUNNING", "the appliance is stopping");
  try {
    const { code, message, remedy, faults } = JSON.parse(text) as ErrorBody;
    const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "INTERNAL";
    return new SlipwayError(known, message, { remedy, ...(faults ? { faults } : {}) });
  } catch {
    return new SlipwayError("INTERNAL", `the appliance answered ${status} without saying why`);
  }
}

/** No socket, a dead one, or one that is not for this user. */
function connectFault(error: Error, socketPath: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR")
    return new SlipwayError("NOT_RUNNING", `no appliance listens on ${socketPath}`, { cause: error });
  if (code === "EACCES" || code === "EPERM") {
    const { group, remedy } = whoMay(socketPath);
    return new SlipwayError("NOT_ALLOWED", `this user may not use ${socketPath}${group}`, { cause: error, remedy });
  }
  if (code === "ECONNRESET" || code === "EPIPE")
    return new SlipwayError("NOT_RUNNING", `the appliance on ${socketPath} went away before it answered`, {
      cause: error,
    });
  return error;
}

function whoMay(socketPath: string): { group: string; remedy: string } {
  const user = userInfo().username;
  try {
    const name = findGroupName(statSync(socketPath).gid);
    const join = `Join the group: \`sudo usermod -aG ${name} ${user}\`, then log in again; or use sudo.`;
    return {
      group: `: it is for the group ${name}`,
      remedy: name === "root" ? "Use sudo, or set adminGroup in slipway.yaml." : join,
    };
  } catch {
    return {
      group: "",
      remedy: `The user ${user} may not enter ${dirname(socketPath)}: use sudo, or choose another dataDir.`,
    };
  }
}

function findGroupName(gid: number): string {
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((l) => l.split(":")[2] === String(gid));
  return line?.split(":")[0] ?? String(gid);
}
