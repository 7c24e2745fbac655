// failedBy: words for what a disk, a program or we ourselves threw; and the sums file of a slot.
import { describe, expect, test } from "vitest";
import { callFault, errnoName, failedBy } from "../../../node-agent/install/fault-reasons.ts";
import { parseSums, renderUkiSums } from "../../../node-agent/install/slot-sums.ts";
import { SlipwayError } from "../../../server/contract/errors.ts";

describe("failedBy", () => {
  const ROWS: [string, unknown, RegExp, RegExp][] = [
    ["a failing disk", callFault("pwrite", 5), /^\/dev\/sda fails: .*\(EIO\)$/, /SMART/],
    ["no room", callFault("write", 28), /no room left \(ENOSPC\)/, /thin-provisioned/],
    ["write protection", callFault("open", 30), /read-only \(EROFS\)/, /write protection/],
    ["a disk in use", callFault("open", 16), /in use: mounted, or part of a RAID/, /another disk/],
    [
      "a fault of ours",
      new SlipwayError("ASSET_DAMAGED", "it is wrong", { remedy: "mend it" }),
      /^it is wrong$/,
      /^mend it$/,
    ],
    ["anything else", new TypeError("x is undefined"), /the install to \/dev\/sda failed: x is undefined/, /log/],
    ["what is no fault at all", "why", /failed: why/, /log/],
  ];
  for (const [name, fault, reason, remedy] of ROWS) {
    test(name, () => {
      const failed = failedBy(fault, "/dev/sda");
      expect(failed.reason).toMatch(reason);
      expect(failed.remedy).toMatch(remedy);
    });
  }
  for (const errno of [1, 5, 6, 12, 16, 19, 28, 30, 61, 84, 117, 121]) {
    test(`has words of its own for ${errnoName(errno)}`, () => {
      const { reason, remedy } = failedBy(callFault("write", errno), "/dev/sda");
      expect(reason).toContain(`(${errnoName(errno)})`);
      expect(remedy).toMatch(/\.$/);
    });
  }
  test("names what errno it does not know by its number", () => expect(errnoName(199)).toBe("errno 199"));
});

describe("parseSums", () => {
  const sum = "ab".repeat(32);
  test("reads what renderUkiSums wrote", () =>
    expect(parseSums(renderUkiSums(7, sum))).toEqual([{ path: "/slipway/7.efi", sha256: sum }]));
  for (const text of [
    "",
    "\n",
    `${sum} slipway/7.efi\n`,
    `${sum}  /abs\n`,
    `${sum.toUpperCase()}  a\n`,
    `x\n${sum}  a\n`,
  ]) {
    test(`takes ${JSON.stringify(text.slice(-20))} for damaged`, () => expect(parseSums(text)).toBeUndefined());
  }
});
