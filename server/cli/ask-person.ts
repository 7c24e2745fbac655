// Questions to whoever sits at the terminal. A script has nobody to ask: it must say beforehand what it means.
import { createInterface } from "node:readline/promises";
import { SlipwayError } from "../contract/errors.ts";

export const isPersonThere = (): boolean => process.stdin.isTTY === true;

/** @returns what was typed, without blanks around it. */
export async function ask(question: string): Promise<string> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(question);
  asking.close();
  return answer.trim();
}

/**
 * Asks for a yes.
 * @param what the command line, for the fault.
 * @throws BAD_REQUEST when nobody is there to be asked.
 */
export async function confirm(what: string, question: string): Promise<boolean> {
  assertPerson(what);
  return /^y(es)?$/i.test(await ask(`${question} [y/N] `));
}

/** Asks for a name to be typed, where a yes comes too easily. @throws as {@link confirm}. */
export async function confirmName(what: string, question: string, name: string): Promise<boolean> {
  assertPerson(what);
  return (await ask(question)) === name;
}

function assertPerson(what: string): void {
  if (isPersonThere()) return;
  throw new SlipwayError("BAD_REQUEST", `${what}: nobody is there to be asked`, { remedy: "Add --yes." });
}
