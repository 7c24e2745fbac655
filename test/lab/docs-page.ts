// A page of docs/ as a list of things to do, so that a test can do what the page says and compare what it shows. Pure. Called
// by test/e2e/cluster/first-cluster.e2e.test.ts. What a page may hold:
//   ```console        `$ ` or `# ` (root) and a command, then the lines that it prints
//   ```console stays  the same, of a command that does not end by itself
//   ```yaml NAME      a file of that name
//   ```sh             commands for another machine or another way; nobody runs them here
//   <!-- test: … -->  what a person does with their hands
// `…` within a line stands for anything in that line, a line of `…` alone for any lines. Blanks are compared as one.
import { SlipwayError } from "../../server/contract/errors.ts";

/** `line` is the page's, from 1. */
export type PageStep = { line: number } & (
  | { kind: "run"; command: string; prints: string[]; stays: boolean }
  | { kind: "write"; name: string; text: string }
  | { kind: "elsewhere"; command: string }
  | { kind: "by-hand"; words: string }
);

const FENCE = /^```(\S*)\s*(.*)$/;
const BY_HAND = /^<!-- test: (.+) -->$/;
const PROMPT = /^[$#] (.+)$/;

/** What stands below one `## ` heading. */
export type PageSection = { title: string; steps: PageStep[] };

type Block = { language: string; rest: string; lines: string[]; line: number };

const BLOCKS: Readonly<Record<string, (block: Block) => PageStep[]>> = {
  console: ({ lines, rest, line }) => commandsOf(lines, line, rest === "stays"),
  yaml: ({ lines, rest, line }) => [{ kind: "write", name: rest, text: `${lines.join("\n")}\n`, line }],
  sh: ({ lines, line }) => lines.map((command, i) => ({ kind: "elsewhere", command, line: line + 1 + i })),
};

/**
 * Sections without a step are left out.
 * @throws BAD_REQUEST with the line of a block that no test would run.
 */
export function readPage(text: string): PageSection[] {
  const sections: PageSection[] = [{ title: "", steps: [] }];
  const add = (...steps: PageStep[]) => sections.at(-1)!.steps.push(...steps);
  let block: Block | undefined;
  for (const [index, content] of text.split("\n").entries()) {
    const line = index + 1;
    const fence = FENCE.exec(content);
    if (block !== undefined) {
      if (fence === null) block.lines.push(content);
      else {
        add(...stepsOf(block));
        block = undefined;
      }
    } else if (fence !== null) block = { language: fence[1]!, rest: fence[2]!, lines: [], line };
    else if (content.startsWith("## ")) sections.push({ title: content.slice(3), steps: [] });
    else {
      const words = BY_HAND.exec(content)?.[1];
      if (words !== undefined) add({ kind: "by-hand", words, line });
    }
  }
  if (block !== undefined) throw new SlipwayError("BAD_REQUEST", `line ${block.line}: the block has no end`);
  return sections.filter(({ steps }) => steps.length > 0);
}

function stepsOf(block: Block): PageStep[] {
  const read = Object.hasOwn(BLOCKS, block.language) ? BLOCKS[block.language] : undefined;
  if (read !== undefined && (block.language !== "yaml" || block.rest !== "")) return read(block);
  const known = "must be console, sh, or yaml with a file's name";
  throw new SlipwayError("BAD_REQUEST", `line ${block.line}: a block \`${block.language}\`; ${known}`);
}

function commandsOf(lines: readonly string[], blockLine: number, stays: boolean): PageStep[] {
  const steps: (PageStep & { kind: "run" })[] = [];
  for (const [i, content] of lines.entries()) {
    const command = PROMPT.exec(content)?.[1];
    const line = blockLine + 1 + i;
    if (command !== undefined) steps.push({ kind: "run", command, prints: [], stays, line });
    else if (steps.length > 0) steps.at(-1)!.prints.push(content);
    else throw new SlipwayError("BAD_REQUEST", `line ${line}: "${content}" stands before any command`);
  }
  return steps;
}

const oneBlank = (text: string): string => text.replace(/[ \t]+/g, " ").trimEnd();
const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Whether a command printed what the page shows; `isWhole` false: more may follow, of a command that goes on. */
export function isWhatPagePrints(prints: readonly string[], printed: string, isWhole = true): boolean {
  const lines = withoutBlankEnd(prints).map((line) => {
    if (line.trim() === "…") return "(?:.*\\n)*";
    return `${literally(oneBlank(line)).replaceAll("…", ".*")}\\n`;
  });
  const text = withoutBlankEnd(printed.split("\n")).map((line) => `${oneBlank(line)}\n`);
  return new RegExp(`^${lines.join("")}${isWhole ? "$" : ""}`).test(text.join(""));
}

function withoutBlankEnd(lines: readonly string[]): readonly string[] {
  return lines.slice(0, lines.findLastIndex((line) => line.trim() !== "") + 1);
}
