// Which UUIDs name a board, and when two spellings are one (pxe.md 1.11).
import fc from "fast-check";
import { expect, test } from "vitest";
import { isSameUuid, parseUuid, swapUuid, timeOrderedUuid, trustworthyUuid } from "../../inventory/uuid.ts";

const UUID = "564d0b2e-3c1f-4a5b-8c7d-001122334455";
const SPELLINGS = [
  { name: "as it is", text: UUID },
  { name: "capitals", text: UUID.toUpperCase() },
  { name: "bare", text: UUID.replaceAll("-", "") },
  { name: "in braces", text: `{${UUID}}` },
];
for (const { name, text } of SPELLINGS) test(`parseUuid reads ${name}`, () => expect(parseUuid(text)).toBe(UUID));

const NONE = ["", "Not Settable", UUID.slice(1), `${UUID}0`, "g".repeat(32), `0x${"1".repeat(30)}`];
for (const text of NONE) test(`parseUuid refuses "${text}"`, () => expect(parseUuid(text)).toBeUndefined());

const JUNK = [
  "00000000-0000-0000-0000-000000000000",
  "ffffffff-ffff-ffff-ffff-ffffffffffff",
  "FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE",
  "03000200-0400-0500-0006-000700080009",
  "00020003-0004-0005-0006-000700080009",
  "12345678-1234-5678-90ab-cddeefaabbcc",
  "78563412-3412-7856-90ab-cddeefaabbcc",
];
for (const text of JUNK) test(`trustworthyUuid refuses ${text}`, () => expect(trustworthyUuid(text)).toBeUndefined());
test("trustworthyUuid takes a real one, and ASCII", () => {
  expect(trustworthyUuid(UUID)).toBe(UUID);
  expect(trustworthyUuid("44454c4c-4a00-1031-8034-b4c04f395931")).toBe("44454c4c-4a00-1031-8034-b4c04f395931");
  expect(trustworthyUuid(undefined)).toBeUndefined();
});

test("swapUuid turns the first three fields round, and back", () => {
  expect(swapUuid(UUID)).toBe("2e0b4d56-1f3c-5b4a-8c7d-001122334455");
  fc.assert(
    fc.property(fc.uuid(), (uuid) => {
      expect(swapUuid(swapUuid(uuid))).toBe(uuid);
      expect(isSameUuid(uuid, swapUuid(uuid))).toBe(true);
    }),
  );
});

test("new UUIDs are version 7 of RFC 9562 and sort by their time", () => {
  const random = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6";
  expect(timeOrderedUuid(0x017f22e279b0, random)).toBe("017f22e2-79b0-71d0-a765-00a0c91e6bf6");
  expect(timeOrderedUuid(1, random) < timeOrderedUuid(2, random)).toBe(true);
});
