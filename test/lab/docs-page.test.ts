// The reader of pages, and how a page and what was printed are compared.
import { expect, test } from "vitest";
import { isWhatPagePrints, type PageSection, readPage } from "./docs-page.ts";

const PAGE = `# A page

\`\`\`yaml site.yaml
a: 1
\`\`\`
<!-- test: power on web1 -->
\`\`\`console
# first --now
one
$ second
\`\`\`

## Nothing to do

## Later

\`\`\`console stays
$ third
begins
\`\`\`
\`\`\`sh
docker save
\`\`\`
`;

test("readPage gives what is to be done, in the page's order, with its lines", () => {
  const want: PageSection[] = [
    {
      title: "",
      steps: [
        { kind: "write", name: "site.yaml", text: "a: 1\n", line: 3 },
        { kind: "by-hand", words: "power on web1", line: 6 },
        { kind: "run", command: "first --now", prints: ["one"], stays: false, line: 8 },
        { kind: "run", command: "second", prints: [], stays: false, line: 10 },
      ],
    },
    {
      title: "Later",
      steps: [
        { kind: "run", command: "third", prints: ["begins"], stays: true, line: 18 },
        { kind: "elsewhere", command: "docker save", line: 22 },
      ],
    },
  ];
  expect(readPage(PAGE)).toEqual(want);
});

const BAD = [
  { name: "a language that nobody runs", page: "```bash\nx\n```\n", says: "line 1: a block `bash`" },
  { name: "no language", page: "\n```\nx\n```\n", says: "line 2: a block ``" },
  { name: "a file without a name", page: "```yaml\nx\n```\n", says: "line 1" },
  { name: "output before a command", page: "```console\nx\n```\n", says: 'line 2: "x"' },
  { name: "no end", page: "```console\n$ x\n", says: "line 1: the block has no end" },
];
for (const { name, page, says } of BAD) {
  test(`readPage refuses ${name}`, () => expect(() => readPage(page)).toThrow(says));
}

const CASES = [
  { name: "the same", prints: ["a", "b"], printed: "a\nb\n", want: true },
  { name: "another word", prints: ["a"], printed: "b\n", want: false },
  { name: "a line more", prints: ["a"], printed: "a\nb\n", want: false },
  { name: "a line less", prints: ["a", "b"], printed: "a\n", want: false },
  { name: "nothing, and it printed", prints: [], printed: "a\n", want: false },
  { name: "nothing, as it did", prints: [""], printed: "", want: true },
  { name: "widths of columns", prints: ["a   b"], printed: "a b\n", want: true },
  { name: "something in a line", prints: ["a … c"], printed: "a b b c\n", want: true },
  { name: "something in a line, another end", prints: ["a … c"], printed: "a b d\n", want: false },
  { name: "something over two lines", prints: ["a … c"], printed: "a b\nb c\n", want: false },
  { name: "lines", prints: ["a", "…", "c"], printed: "a\nb\nb\nc\n", want: true },
  { name: "no lines", prints: ["a", "…", "c"], printed: "a\nc\n", want: true },
  { name: "signs of patterns", prints: ["a.b (c)"], printed: "axb (c)\n", want: false },
];
for (const { name, prints, printed, want } of CASES) {
  test(`isWhatPagePrints: ${name}`, () => expect(isWhatPagePrints(prints, printed)).toBe(want));
}

test("isWhatPagePrints lets a command that goes on print more", () => {
  expect(isWhatPagePrints(["a"], "a\nb\n", false)).toBe(true);
  expect(isWhatPagePrints(["a"], "b\n", false)).toBe(false);
});
