// A list of faults → one SlipwayError: the code that they share, else a general one. Pure.
import { type ErrorCode, type Fault, SlipwayError } from "../contract/errors.ts";
import type { FieldFault } from "./check-fields.ts";

/** Throws when there is a fault. @param general the code when the faults are of several kinds. */
export function raiseFaults(faults: readonly FieldFault[], general: ErrorCode, remedy?: string): void {
  if (faults.length === 0) return;
  const codes = new Set(faults.map((f) => f.code));
  const code = codes.size === 1 ? faults[0]!.code : general;
  const list: Fault[] = faults.map(({ at, message }) => ({ at, message }));
  const text = list.map((f) => `${f.at}: ${f.message}`).join("\n");
  throw new SlipwayError(code, text, { faults: list, ...(remedy === undefined ? {} : { remedy }) });
}
