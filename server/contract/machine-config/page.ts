// docs/machine-config.md, made from the table of fields by `npm run docs`; test/docs.test.ts compares the two. Pure.
import { DOCUMENTS, OTHER_KINDS, V1ALPHA1 } from "./fields.ts";
import { CLASSES, type Class, listRows, type Row, wordsOf } from "./shape.ts";
import { MAX_BYTES } from "./yaml-stream.ts";

const INTRO = `# The machine config

<!-- Made by \`npm run docs\` from server/contract/machine-config/fields.ts. Change it there. -->

Every node of a cluster has one machine config: a Talos \`v1alpha1\` document of the 1.13 contract, and a \`HostnameConfig\`
document beside it. The appliance renders it from the cluster, the role and the machine; \`slipway config MAC\` shows it with
its secrets masked. The node stores it byte for byte and acts on what it says.

Nothing in a config is ignored in silence. Each field is one of these:

| class | what becomes of it |
|---|---|
${Object.entries(CLASSES)
  .map(([name, meaning]) => `| ${name} | ${meaning} |\n`)
  .join("")}
A config with any fault is refused as a whole, and all faults are told at once, each with its place:

    config:12:9: machine.nodeLabel: no such field; did you mean nodeLabels?
    config:14:5: machine.files: is not possible on Slipway OS: the root is the signed image; ask for a setting of its own

- Anchors, aliases, tags and keys that come twice are not allowed; a config has at most ${MAX_BYTES / 1024} KiB.
- A field that is left out, or whose value is \`null\`, \`""\`, \`[]\` or \`{}\`, asks for nothing.
- \`true\` and \`false\` are the only words for a flag. Where a text is wanted, a number is taken as it is typed.
- Certificates and keys are base64 of PEM. A fault never shows a secret.

## Which disk

\`machine.install.diskSelector\` goes before \`machine.install.disk\`. All its conditions must hold; \`*\` stands for any
characters; of several disks the smallest is taken, then the first by name. Sizes count as drives are labelled: \`100GB\` is
100 × 1000³ bytes, \`100GiB\` is 100 × 1024³. A selector without conditions (\`{}\`, what the appliance renders) leaves the choice
to the node's own rule. The node says for every other disk why it was not taken.

## Patches

A role's and a machine's \`patches\` are merged over the rendered config, the role's first, by Talos's rules for strategic
merge: maps merge, lists append, other values replace unless they are empty. \`podSubnets\`, \`serviceSubnets\`, \`auditPolicy\` and
each of the \`extraArgs\` are replaced; interfaces are told apart by \`interface\` or \`deviceSelector\`, admission plugins by \`name\`;
\`$patch: delete\` takes away a map, an element of a list, or a whole document. What the inventory or the secrets bundle gives
(hostname, type, endpoint, networks, tokens, certificates) no patch may change.
`;

/** The whole page. */
export function renderMachineConfigPage(): string {
  const others = OTHER_KINDS.map((kind) => `\`${kind}\``).join(", ");
  return [
    INTRO,
    "\n## Fields\n",
    ...["machine", "cluster"].map((name) => section(`\`${name}\``, rowsOf(name))),
    section("The document itself", topRows()),
    ...Object.entries(DOCUMENTS).map(([kind, shape]) => section(`\`kind: ${kind}\``, listRows(shape.fields))),
    `\nOther kinds of the 1.13 contract are refused by name: ${others}.\n`,
  ].join("");
}

const all = (): Row[] => listRows(V1ALPHA1.fields);
const rowsOf = (name: string): Row[] => all().filter(({ path }) => path.startsWith(`${name}.`));
const topRows = (): Row[] => all().filter(({ path }) => !path.includes("."));

const section = (title: string, rows: readonly Row[]): string =>
  `\n### ${title}\n\n| field | class | value | meaning |\n|---|---|---|---|\n${rows.map(line).join("")}`;

/** Why, in the words that a fault or a note would use. */
const BECAUSE: Record<Class, (because: string) => string> = {
  done: () => "",
  kept: () => "",
  "from-image": (because) => `; in force is ${because}`,
  refused: (because) => `; ${because}`,
};

function line({ path, field }: Row): string {
  const meaning = `${field.doc}${BECAUSE[field.class](field.because)}`;
  return `| \`${path}\` | ${field.class} | ${cell(wordsOf(field.shape))} | ${cell(meaning)} |\n`;
}

const cell = (text: string): string => text.replace(/\|/g, "\\|");
