// The code that a person compares.
import { expect, test } from "vitest";
import { pairingCode } from "../../../server/contract/pairing-code.ts";

const [CA, KEY] = ["ab".repeat(32), "cd".repeat(32)];

test("pairingCode can be read aloud, is the same for the same two, and differs when either does", () => {
  const code = pairingCode(CA, KEY);
  expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
  expect(pairingCode(CA, KEY)).toBe(code);
  expect(pairingCode(KEY, CA)).not.toBe(code);
  expect(pairingCode(CA, "ce".repeat(32))).not.toBe(code);
});

test("pairingCode stays as it is: screens and appliances of different versions must agree", () =>
  expect(pairingCode(CA, KEY)).toMatchInlineSnapshot(`"WYCD-YWPJ"`));
