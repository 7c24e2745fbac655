// Preconditions and ranges: what the request's headers make of a GET or HEAD of a file (RFC 9110 §13, §14). Pure; called
// by deliver-routes.ts. EDK2 resumes with Range and If-Match or If-Unmodified-Since (pxe.md 2.8), iPXE reads 512-byte
// ranges for sanboot.

export type FileState = {
  bytes: number;
  /** Strong entity tag with its quotes. */
  etag: string;
  modifiedMs: number;
};

/** Request headers in lower case, as node:http gives them. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

export type Verdict =
  | { kind: "whole" }
  /** Bytes `start` to `end`, `end` exclusive. */
  | { kind: "range"; start: number; end: number }
  | { kind: "not-modified" }
  | { kind: "precondition-failed" }
  | { kind: "unsatisfiable" };

/**
 * Decides what is sent, in the order of RFC 9110 §13.2.2.
 * A range that is malformed, or one of several, is ignored, which the RFC allows: the whole file is always right.
 */
export function decideDelivery(method: "GET" | "HEAD", headers: RequestHeaders, file: FileState): Verdict {
  const get = (name: string) => textOf(headers[name]);
  const ifMatch = get("if-match");
  const ifNoneMatch = get("if-none-match");
  // 1, 2: the client wants to go on with what it has.
  if (ifMatch !== undefined) {
    if (!tagsOf(ifMatch).some((tag) => tag === "*" || tag === file.etag)) return { kind: "precondition-failed" };
  } else if (isOlder(get("if-unmodified-since"), file)) {
    return { kind: "precondition-failed" };
  }
  // 3, 4: the client wants to know whether its copy is good. Weak comparison.
  if (ifNoneMatch !== undefined) {
    const isSame = (tag: string) => tag === "*" || tag.replace(/^W\//, "") === file.etag;
    if (tagsOf(ifNoneMatch).some(isSame)) return { kind: "not-modified" };
  } else if (isAtLeast(get("if-modified-since"), file)) {
    return { kind: "not-modified" };
  }
  // 5: a range, unless If-Range names another version.
  const range = get("range");
  if (method !== "GET" || range === undefined || !isSameVersion(get("if-range"), file)) return { kind: "whole" };
  return parseRange(range, file.bytes);
}

/** One `bytes=` range: `a-b`, `a-` or `-n`. */
function parseRange(text: string, bytes: number): Verdict {
  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(text) ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return { kind: "whole" };
  if (first === "") {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? { kind: "unsatisfiable" } : { kind: "range", start: bytes - length, end: bytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return { kind: "whole" };
  if (start >= bytes) return { kind: "unsatisfiable" };
  return { kind: "range", start, end: last === "" ? bytes : Math.min(Number(last) + 1, bytes) };
}

const textOf = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(", ") : value);
const tagsOf = (list: string): string[] => list.match(/\*|(?:W\/)?"[^"]*"/g) ?? [];

/** HTTP dates count whole seconds. Text that is no date counts as absent. */
const secondsOf = (date: string | undefined): number | undefined => {
  const ms = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
};
const modifiedSeconds = (file: FileState) => Math.floor(file.modifiedMs / 1000);
const isOlder = (date: string | undefined, file: FileState) => (secondsOf(date) ?? Infinity) < modifiedSeconds(file);
const isAtLeast = (date: string | undefined, file: FileState) =>
  (secondsOf(date) ?? -Infinity) >= modifiedSeconds(file);

/** If-Range needs a strong match: the tag itself, or exactly our date. */
function isSameVersion(ifRange: string | undefined, file: FileState): boolean {
  if (ifRange === undefined) return true;
  return ifRange.includes('"') ? ifRange.trim() === file.etag : secondsOf(ifRange) === modifiedSeconds(file);
}
