// The image's parts over HTTP: a broken line is gone on with at the byte where it broke, an appliance that is away is waited
// for, and nothing larger than asked for is taken. Edge. run-install.ts opens it. Sources: RFC 9110 §13.1.5 (If-Range), §14.2.
import { createHash } from "node:crypto";
import { SlipwayError } from "../../server/contract/errors.ts";
import { backoffMs } from "../backoff.ts";
import type { Part } from "./image-manifest.ts";
import type { Sized } from "./install-step.ts";
import { download, type Head } from "./open-download.ts";

export type FetchDeps = {
  /** Resolves after `ms`, or at once when the signal says stop. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  chance(): number;
  signal: AbortSignal;
  /** Told why it waits; `undefined` when bytes come again. */
  onWait(reason: string | undefined): void;
};

export type ImageSource = {
  /** A file without a known digest, whole. @param mostBytes more than this is refused. */
  whole(name: string, mostBytes: number): Promise<Buffer>;
  /** A small part, whole and checked; fetched once however often it is asked for, for it is written several times. */
  small(name: Part, sized: Sized): Promise<Buffer>;
  /**
   * A large part, piece by piece: `write` gets each with its place, in order, and is awaited; then its buffer is used again.
   * @throws ASSET_DAMAGED when length or digest differ at the end, ASSET_MISSING when the appliance has no such part.
   */
  stream(name: Part, sized: Sized, write: (bytes: Uint8Array, at: number) => Promise<void>): Promise<void>;
};

const STALL_MS = 20_000;
/** Answers that will change by themselves: too many at once, or the appliance is starting or in trouble. */
const WORTH_WAITING = (status: number) => status === 408 || status === 429 || status >= 500;

/** No loader, core image or boot code comes near it; a manifest that says more would fill the memory. */
const SMALL_BYTES = 8 * 1024 * 1024;

/** @param imageUrl ends in a slash; everything is fetched from below it. */
export function openImageSource(imageUrl: string, deps: FetchDeps): ImageSource {
  const urlOf = (name: string) => new URL(name, imageUrl.endsWith("/") ? imageUrl : `${imageUrl}/`).href;
  const known = new Map<Part, Buffer>();
  const stream: ImageSource["stream"] = async (name, sized, write) => {
    let hash = createHash("sha256");
    const take = async (bytes: Uint8Array, at: number) => {
      if (at === 0) hash = createHash("sha256");
      hash.update(bytes);
      await write(bytes, at);
    };
    await transfer(urlOf(name), sized.bytes, take, deps);
    const sha256 = hash.digest("hex");
    if (sha256 === sized.sha256) return;
    throw damaged(`${urlOf(name)} came with SHA-256 ${sha256}; the signed manifest says ${sized.sha256}`);
  };
  return {
    stream,
    whole: (name, mostBytes) => whole(urlOf(name), mostBytes, deps),
    small: async (name, sized) => {
      const there = known.get(name);
      if (there !== undefined) return there;
      if (sized.bytes > SMALL_BYTES) {
        throw damaged(`${urlOf(name)} has ${sized.bytes} bytes; up to ${SMALL_BYTES} are expected`);
      }
      const bytes = Buffer.alloc(sized.bytes);
      await stream(name, sized, async (piece, at) => void bytes.set(piece, at));
      known.set(name, bytes);
      return bytes;
    },
  };
}

async function whole(url: string, mostBytes: number, deps: FetchDeps): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const take = async (bytes: Uint8Array, at: number) => {
    if (at === 0) pieces.length = 0;
    if (at + bytes.length > mostBytes) throw damaged(`${url} has more than ${mostBytes} bytes`);
    // The buffer comes again with other bytes.
    pieces.push(Uint8Array.from(bytes));
  };
  await transfer(url, undefined, take, deps);
  return Buffer.concat(pieces);
}

const damaged = (message: string) =>
  new SlipwayError("ASSET_DAMAGED", message, {
    remedy:
      "Nothing was made bootable. Check the file on the appliance (`npm run assets` builds it anew) and the network between; the machine tries again by itself.",
  });

type Take = (bytes: Uint8Array, at: number) => Promise<void>;
/** How far a transfer is, and which version of the file its bytes are of. */
type Place = { at: number; etag: string | undefined };
type Outcome = { kind: "done" } | { kind: "broken"; reason: string };

async function transfer(url: string, bytes: number | undefined, take: Take, deps: FetchDeps): Promise<void> {
  const place: Place = { at: 0, etag: undefined };
  let failures = 0;
  for (;;) {
    const before = place.at;
    const outcome = await attempt(url, bytes, place, take, deps);
    deps.signal.throwIfAborted();
    if (outcome.kind === "done") return;
    failures = place.at > before ? 1 : failures + 1;
    deps.onWait(`waits for the appliance (${outcome.reason})`);
    await deps.wait(backoffMs(failures, deps.chance()), deps.signal);
    deps.signal.throwIfAborted();
  }
}

async function attempt(
  url: string,
  bytes: number | undefined,
  place: Place,
  take: Take,
  deps: FetchDeps,
): Promise<Outcome> {
  let unfit: Extract<Start, { kind: "broken" }> | undefined;
  const onHead = (head: Head): boolean => {
    const start = startOf(head, place, url);
    if (start.kind === "broken") unfit = start;
    else Object.assign(place, { at: start.at, etag: head.headers.etag });
    return start.kind === "start";
  };
  const takeNext = async (piece: Uint8Array) => {
    deps.onWait(undefined);
    if (bytes !== undefined && place.at + piece.length > bytes) {
      throw damaged(`${url} has more than the ${bytes} bytes that the signed manifest says`);
    }
    await taken(take(piece, place.at));
    place.at += piece.length;
  };
  const { signal } = deps;
  try {
    await download(url, { headers: headersFor(place), onHead, take: takeNext, stallMs: STALL_MS, signal });
  } catch (fault) {
    if (fault instanceof Taken) throw fault.fault;
    signal.throwIfAborted();
    return { kind: "broken", reason: brokenBy(fault) };
  }
  if (unfit !== undefined) return unfit;
  return bytes === undefined || place.at === bytes
    ? { kind: "done" }
    : { kind: "broken", reason: `the line ended at byte ${place.at} of ${bytes}` };
}

/** A fault of the disk must not look like one of the network, or it would be tried for ever. */
class Taken extends Error {
  readonly fault: unknown;
  constructor(fault: unknown) {
    super("the bytes could not be taken");
    this.fault = fault;
  }
}

async function taken(promise: Promise<void>): Promise<void> {
  try {
    await promise;
  } catch (fault) {
    throw new Taken(fault);
  }
}

/** If-Range: another version of the file comes whole, from its start, instead of from the middle. */
function headersFor({ at, etag }: Place): Record<string, string> {
  if (at === 0) return {};
  return { range: `bytes=${at}-`, ...(etag === undefined ? {} : { "if-range": etag }) };
}

type Start = { kind: "start"; at: number } | { kind: "broken"; reason: string };

/** From where the answer's bytes are. @throws ASSET_MISSING for an answer that will not change by itself. */
function startOf({ status, headers }: Head, place: Place, url: string): Start {
  if (status === 200) return { kind: "start", at: 0 };
  if (status === 206) {
    const from = /^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1];
    if (from === String(place.at)) return { kind: "start", at: place.at };
    place.at = 0;
    return { kind: "broken", reason: `it answered with bytes from ${from ?? "nowhere"}` };
  }
  if (status === 416) {
    place.at = 0;
    return { kind: "broken", reason: "the file is shorter than it was" };
  }
  if (WORTH_WAITING(status)) return { kind: "broken", reason: `it answered ${status}` };
  throw new SlipwayError("ASSET_MISSING", `${url}: the appliance answered ${status}`, {
    remedy:
      "Build the image on the appliance (`npm run assets`). If it was built anew meanwhile: `slipway install MAC` orders the new one.",
  });
}

const BROKEN: Readonly<Record<string, string>> = {
  ECONNRESET: "the line broke",
  ETIMEDOUT: "nothing came for a while",
  EPROTO: "what came is no answer of an appliance",
};

/** Why a line broke. @throws what is no fault of the network: waiting would not mend it. */
function brokenBy(fault: unknown): string {
  const { code } = Object(fault) as { code?: unknown };
  if (fault instanceof SlipwayError || typeof code !== "string") throw fault;
  return BROKEN[code] ?? code;
}
