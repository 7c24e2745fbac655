// What a person reads when something is wrong: one fault, one with many lines, several together, one that is ours.
import { expect, test } from "vitest";
import { tellFault } from "../../../server/cli/tell-fault.ts";
import { ERRORS, SlipwayError } from "../../../server/contract/errors.ts";

const port = (n: number) => new SlipwayError("PORT_IN_USE", `port ${n} is taken`);
const config = new SlipwayError("BAD_CONFIG", "slipway.yaml:1:1: a\nslipway.yaml:2:1: b");
const CASES = [
  { name: "one fault", fault: port(1), exit: 3, text: ["slipway: port 1 is taken", `  ${ERRORS.PORT_IN_USE.remedy}`] },
  {
    name: "one fault of several lines",
    fault: config,
    exit: 2,
    text: ["slipway: 2 faults:", "  slipway.yaml:1:1: a", "  slipway.yaml:2:1: b", `  ${ERRORS.BAD_CONFIG.remedy}`],
  },
  {
    name: "faults with the same remedy share its line; the first gives the exit code",
    fault: new AggregateError([port(1), port(2), config]),
    exit: 3,
    text: [
      ...["slipway: port 1 is taken", "slipway: port 2 is taken", `  ${ERRORS.PORT_IN_USE.remedy}`],
      ...["slipway: 2 faults:", "  slipway.yaml:1:1: a", "  slipway.yaml:2:1: b", `  ${ERRORS.BAD_CONFIG.remedy}`],
    ],
  },
  { name: "what is no error", fault: "odd", exit: 1, text: ["slipway: odd", `  ${ERRORS.INTERNAL.remedy}`] },
];
for (const { name, fault, exit, text } of CASES) {
  test(`tellFault tells ${name}`, () => {
    let said = "";
    expect(tellFault(fault, (part) => (said += part))).toBe(exit);
    expect(said).toBe(`${text.join("\n")}\n`);
  });
}

test("tellFault tells a bug with its stack", () => {
  let said = "";
  expect(tellFault(new TypeError("x is undefined"), (part) => (said += part))).toBe(1);
  expect(said).toMatch(/^slipway: TypeError: x is undefined\n {4}at /);
});
