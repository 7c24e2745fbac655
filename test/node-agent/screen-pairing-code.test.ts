// The screen's pairing code is the contract's, and costs its thousands of hashes once.
import { expect, test } from "vitest";
import { rememberPairingCode } from "../../node-agent/screen-pairing-code.ts";
import { pairingCode } from "../../server/contract/pairing-code.ts";

test("rememberPairingCode works out once what stays the same, and anew for another CA or key", () => {
  const worked: string[] = [];
  const codeOf = rememberPairingCode((ca, key) => {
    worked.push(`${ca} ${key}`);
    return pairingCode(ca, key);
  });
  const pairs: [string, string][] = [
    ["ca", "key"],
    ["ca", "key"],
    ["ca", "other"],
    ["another", "other"],
    ["another", "other"],
    ["ca", "key"],
  ];
  for (const [ca, key] of pairs) expect(codeOf(ca, key)).toBe(pairingCode(ca, key));
  expect(worked).toEqual(["ca key", "ca other", "another other", "ca key"]);
});
