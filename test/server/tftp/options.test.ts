import { expect, test } from "vitest";
import { DEFAULT_LIMITS, maxBlockBytesFor, negotiateOptions } from "../../../server/tftp/options.ts";
import type { OptionPair } from "../../../server/tftp/packet.ts";

const negotiate = (...pairs: OptionPair[]) => negotiateOptions(pairs, 123_456, DEFAULT_LIMITS);
const granted = (name: string, value: string) => negotiate([name, value]).granted[0]?.[1];

/** Asked → granted; undefined means left out. */
const TABLE: [name: string, asked: string, granted: string | undefined][] = [
  ["blksize", "8", "8"],
  ["blksize", "511", "511"],
  ["blksize", "512", "512"],
  ["blksize", "513", "513"],
  ["blksize", "1432", "1432"],
  ["blksize", "1468", "1468"],
  ["blksize", "1469", "1468"],
  ["blksize", "65464", "1468"],
  ["blksize", "65465", "1468"],
  ["blksize", "0", undefined],
  ["blksize", "7", undefined],
  ["blksize", "abc", undefined],
  ["blksize", "-1", undefined],
  ["blksize", "", undefined],
  ["blksize", "1e3", undefined],
  ["blksize", "99999999999", undefined],
  ["windowsize", "1", "1"],
  ["windowsize", "4", "4"],
  ["windowsize", "16", "16"],
  ["windowsize", "64", "16"],
  ["windowsize", "65535", "16"],
  ["windowsize", "0", undefined],
  ["windowsize", "65536", undefined],
  ["timeout", "1", "1"],
  ["timeout", "5", "5"],
  ["timeout", "255", "255"],
  ["timeout", "0", undefined],
  ["timeout", "256", undefined],
  ["tsize", "0", "123456"],
  ["tsize", "77", "123456"],
  ["tsize", "-1", undefined],
  ["multicast", "", undefined],
  ["constructor", "1", undefined],
];
for (const [name, asked, want] of TABLE) {
  test(`${name} ${JSON.stringify(asked)} is ${want === undefined ? "left out" : `granted as ${want}`}`, () => {
    expect(granted(name, asked)).toBe(want);
  });
}

test("nothing asked: 512 bytes, lock-step, no OACK", () => {
  expect(negotiate()).toEqual({ blockBytes: 512, windowBlocks: 1, granted: [] });
});

test("names are read in any case and go back as they came, in the order of the request", () => {
  expect(negotiate(["TSIZE", "0"], ["BlkSize", "1024"], ["WindowSize", "2"], ["Timeout", "3"])).toEqual({
    blockBytes: 1024,
    windowBlocks: 2,
    timeoutMs: 3000,
    granted: [
      ["TSIZE", "123456"],
      ["BlkSize", "1024"],
      ["WindowSize", "2"],
      ["Timeout", "3"],
    ],
  });
});

test("of a repeated option the first counts, even when it was not granted", () => {
  expect(negotiate(["blksize", "1000"], ["BLKSIZE", "600"]).granted).toEqual([["blksize", "1000"]]);
  expect(negotiate(["blksize", "7"], ["blksize", "600"])).toEqual({ blockBytes: 512, windowBlocks: 1, granted: [] });
});

test("maxBlockBytesFor never fragments and never goes above 1468", () => {
  expect([9000, 1500, 1492, 576, 10].map(maxBlockBytesFor)).toEqual([1468, 1468, 1460, 544, 8]);
});
