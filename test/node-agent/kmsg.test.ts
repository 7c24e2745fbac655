// Records of /dev/kmsg.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseKernelRecord } from "../../node-agent/kmsg.ts";
import { openKernelLog } from "../../node-agent/read-kmsg.ts";

describe("parseKernelRecord", () => {
  test("reads level, number, time and text, and leaves the continuation out", () => {
    expect(parseKernelRecord("30,339,5140900,-;NET: Registered PF_INET6\n SUBSYSTEM=net\n")).toEqual({
      ...{ seq: 339, level: 6, uptimeUs: 5_140_900, text: "NET: Registered PF_INET6" },
    });
  });
  test("takes prefixes with more fields", () =>
    expect(parseKernelRecord("4,1,2,-,caller=T1;text")).toMatchObject({ seq: 1, level: 4, text: "text" }));
  test("shows nothing that a terminal would obey", () =>
    expect(parseKernelRecord("6,1,2,-;a\\x1b[2Jb\x07c")?.text).toBe("a?[2Jb?c"));
  test("cuts a line at a thousand characters", () =>
    expect(parseKernelRecord(`6,1,2,-;${"x".repeat(3000)}`)?.text).toHaveLength(1000));
  for (const text of ["", "no record", "6,1;x", "a,b,c,-;x"]) {
    test(`refuses "${text}"`, () => expect(parseKernelRecord(text)).toBeUndefined());
  }
});

describe("openKernelLog", () => {
  test("is undefined where there is no such device", () => expect(openKernelLog(-1, "/nowhere/kmsg")).toBeUndefined());
  test("gives a record that a file holds, once", () => {
    const dir = mkdtempSync(join(tmpdir(), "slipway-kmsg-"));
    try {
      const path = join(dir, "kmsg");
      writeFileSync(path, "6,7,2,-;hello\n");
      const log = openKernelLog(4, path)!;
      expect(log.take(10)).toEqual({ lines: [{ seq: 7, level: 6, uptimeUs: 2, text: "hello" }], lost: 2 });
      expect(log.take(10)).toEqual({ lines: [], lost: 0 });
      log.close();
      const later = openKernelLog(7, path)!;
      expect(later.take(10).lines).toEqual([]);
      later.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
