// How every program of Slipway says what is wrong: cause, then remedy, on standard error; and the exit code that goes with it.
// Called by run-cli.ts for each command, `serve` included.
import { ERRORS, SlipwayError } from "../contract/errors.ts";

/**
 * Tells a fault, or all that came together. Faults with the same remedy share its line.
 * @returns the exit code of the first (docs/errors.md).
 */
export function tellFault(fault: unknown, warn: (text: string) => void): number {
  const faults = fault instanceof AggregateError ? [...fault.errors] : [fault];
  const told = faults.map(tell);
  warn(told.map(({ head, remedy }, i) => (remedy === told[i + 1]?.remedy ? head : `${head}  ${remedy}\n`)).join(""));
  return told[0]?.exit ?? ERRORS.INTERNAL.exit;
}

function tell(fault: unknown): { head: string; remedy: string; exit: number } {
  // A fault that is ours comes with its stack, for the report.
  if (!(fault instanceof SlipwayError)) {
    const { remedy, exit } = ERRORS.INTERNAL;
    return { head: `slipway: ${fault instanceof Error ? fault.stack : String(fault)}\n`, remedy, exit };
  }
  const { exit } = ERRORS[fault.code];
  const lines = fault.message.split("\n");
  const all = lines.map((line) => `  ${line}\n`).join("");
  const head = lines.length === 1 ? `slipway: ${fault.message}\n` : `slipway: ${lines.length} faults:\n${all}`;
  return { head, remedy: fault.remedy, exit };
}
