import { describe, expect, test } from "vitest";
import { decideDelivery, type RequestHeaders, type Verdict } from "../../../server/http/conditions.ts";
import { FetchTally } from "../../../server/http/fetch-tally.ts";

const MODIFIED = Date.parse("Tue, 24 Nov 2026 20:00:00 GMT");
const FILE = { bytes: 1000, etag: '"abc"', modifiedMs: MODIFIED + 700 };
const BEFORE = "Tue, 24 Nov 2026 19:59:59 GMT";
const SAME = "Tue, 24 Nov 2026 20:00:00 GMT";
const AFTER = "Tue, 24 Nov 2026 20:00:01 GMT";
const range = (start: number, end: number): Verdict => ({ kind: "range", start, end });
const whole: Verdict = { kind: "whole" };
const failed: Verdict = { kind: "precondition-failed" };
const notModified: Verdict = { kind: "not-modified" };
const unsatisfiable: Verdict = { kind: "unsatisfiable" };

const TABLE: [name: string, headers: RequestHeaders, want: Verdict][] = [
  ["nothing asked", {}, whole],
  ["first byte", { range: "bytes=0-0" }, range(0, 1)],
  ["last byte", { range: "bytes=999-999" }, range(999, 1000)],
  ["all bytes as a range", { range: "bytes=0-999" }, range(0, 1000)],
  ["past the end is cut", { range: "bytes=500-99999" }, range(500, 1000)],
  ["open end", { range: "bytes=500-" }, range(500, 1000)],
  ["last n", { range: "bytes=-100" }, range(900, 1000)],
  ["last n, more than there are", { range: "bytes=-5000" }, range(0, 1000)],
  ["unit in capitals", { range: "Bytes=1-2" }, range(1, 3)],
  ["begins at the end", { range: "bytes=1000-" }, unsatisfiable],
  ["begins far behind", { range: "bytes=99999999999999999999-" }, unsatisfiable],
  ["last none", { range: "bytes=-0" }, unsatisfiable],
  ["end before start is no range", { range: "bytes=5-4" }, whole],
  ["no numbers", { range: "bytes=-" }, whole],
  ["another unit", { range: "lines=1-2" }, whole],
  ["several ranges", { range: "bytes=0-1,5-6" }, whole],
  ["rubbish", { range: "bytes=a-b" }, whole],
  ["If-Match, the same", { "if-match": '"abc"', range: "bytes=0-9" }, range(0, 10)],
  ["If-Match, one of many", { "if-match": '"x", "abc"' }, whole],
  ["If-Match, any", { "if-match": "*" }, whole],
  ["If-Match, another", { "if-match": '"x"', range: "bytes=0-9" }, failed],
  ["If-Match, weak never matches", { "if-match": 'W/"abc"' }, failed],
  ["If-Match, no tag at all", { "if-match": "abc" }, failed],
  ["If-Match outweighs If-Unmodified-Since", { "if-match": '"abc"', "if-unmodified-since": BEFORE }, whole],
  ["If-Unmodified-Since, the same second", { "if-unmodified-since": SAME }, whole],
  ["If-Unmodified-Since, later", { "if-unmodified-since": AFTER }, whole],
  ["If-Unmodified-Since, before", { "if-unmodified-since": BEFORE }, failed],
  ["If-Unmodified-Since, no date", { "if-unmodified-since": "yesterday" }, whole],
  ["If-None-Match, the same", { "if-none-match": '"abc"' }, notModified],
  ["If-None-Match, weak", { "if-none-match": 'W/"abc"' }, notModified],
  ["If-None-Match, any", { "if-none-match": "*" }, notModified],
  ["If-None-Match, another", { "if-none-match": '"x"' }, whole],
  ["If-None-Match outweighs If-Modified-Since", { "if-none-match": '"x"', "if-modified-since": AFTER }, whole],
  ["If-Modified-Since, the same second", { "if-modified-since": SAME }, notModified],
  ["If-Modified-Since, before", { "if-modified-since": BEFORE }, whole],
  ["If-Range, the same tag", { "if-range": '"abc"', range: "bytes=0-9" }, range(0, 10)],
  ["If-Range, another tag", { "if-range": '"x"', range: "bytes=0-9" }, whole],
  ["If-Range, a weak tag", { "if-range": 'W/"abc"', range: "bytes=0-9" }, whole],
  ["If-Range, the same date", { "if-range": SAME, range: "bytes=0-9" }, range(0, 10)],
  ["If-Range, a later date is not the same", { "if-range": AFTER, range: "bytes=0-9" }, whole],
  ["If-Range, rubbish", { "if-range": "x", range: "bytes=0-9" }, whole],
  ["repeated headers are one list", { "if-match": ['"x"', '"abc"'] }, whole],
];
describe("decideDelivery (RFC 9110 §13, §14)", () => {
  for (const [name, headers, want] of TABLE) {
    test(name, () => expect(decideDelivery("GET", headers, FILE)).toEqual(want));
  }
  test("HEAD knows conditions but no ranges", () => {
    expect(decideDelivery("HEAD", { range: "bytes=0-9" }, FILE)).toEqual(whole);
    expect(decideDelivery("HEAD", { "if-none-match": '"abc"' }, FILE)).toEqual(notModified);
  });
  test("an empty file has no range", () => {
    const empty = { ...FILE, bytes: 0 };
    expect(decideDelivery("GET", { range: "bytes=0-" }, empty)).toEqual(unsatisfiable);
    expect(decideDelivery("GET", { range: "bytes=-1" }, empty)).toEqual(unsatisfiable);
  });
});

describe("FetchTally", () => {
  test("sums pieces until nearly all is there, then begins anew", () => {
    const tally = new FetchTally();
    for (let i = 0; i < 98; i++) expect(tally.add("k", 10, 1000, i, i + 1)).toBeUndefined();
    expect(tally.add("k", 10, 1000, 98, 99)).toEqual({ bytes: 990, ms: 99 });
    expect(tally.add("k", 10, 1000, 200, 201)).toBeUndefined();
  });
  test("does not count more than the file has, and keeps clients apart", () => {
    const tally = new FetchTally();
    expect(tally.add("a", 900, 1000, 0, 1)).toBeUndefined();
    expect(tally.add("b", 900, 1000, 0, 1)).toBeUndefined();
    expect(tally.add("a", 900, 1000, 2, 3)).toEqual({ bytes: 1000, ms: 3 });
  });
  test("forgets after ten minutes, or when told", () => {
    const tally = new FetchTally();
    tally.add("a", 900, 1000, 0, 1);
    expect(tally.add("a", 500, 1000, 600_001, 600_002)).toBeUndefined();
    tally.forget("a");
    expect(tally.add("a", 600, 1000, 600_003, 600_004)).toBeUndefined();
  });
});
