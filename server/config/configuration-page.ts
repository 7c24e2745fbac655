// docs/configuration.md, made from the settings tables. server/cli/write-docs.ts writes it (`npm run docs`), test/docs.test.ts
// compares. Pure.
import { INTERFACE_SETTINGS, SETTINGS, type Setting, SUBNET_SETTINGS } from "./settings.ts";

const INTRO = `# Settings

<!-- Made by \`npm run docs\` from server/config/settings.ts. Change it there. -->

All settings stand in one file, \`slipway.yaml\`. Every key is optional. It is looked for in the directory where you call
\`slipway\`, then beside the program; \`--config FILE\` names another. Without a file every setting is its default, and paths
start beside the program.

- All faults are told at once, each with its place: \`slipway.yaml:12:11: interfaces.eth1.dhcp: must be one of …, found "prxy"\`.
- Relative paths are relative to the file; \`~\` is the home of who calls (under sudo: of who called sudo).
- Durations are a whole number with \`s\`, \`m\`, \`h\`, \`d\` or \`w\`; sizes one with \`KiB\`, \`MiB\`, \`GiB\` or \`TiB\`.
- Anchors, aliases and tags of YAML are not allowed; the file has at most 256 KiB.
- The admin socket is \`dataDir\`/admin.sock; the system allows 107 bytes for that path, so a very long dataDir is a fault.
- \`--interface NAME\` serves an interface with its defaults, unless the file says more about it.
`;

const EXAMPLE = `
## A whole file

\`\`\`yaml
dataDir: /var/lib/slipway
identity: /etc/slipway/identity.age
adminGroup: slipway
interfaces:
  eth1:
    dhcp: auto
    pool: 192.0.2.100-192.0.2.199
    gateway: 192.0.2.1
    dns: [192.0.2.1]
    subnets:
      - { subnet: 10.30.1.0/24, pool: 10.30.1.100-10.30.1.199, gateway: 10.30.1.1, relayed: true }
\`\`\`
`;

type Table = Record<string, Setting<unknown> & { isRequired?: boolean }>;

/** The whole page. */
export function renderConfigurationPage(): string {
  return [
    INTRO,
    section("The appliance", SETTINGS),
    section(
      "An interface",
      INTERFACE_SETTINGS,
      "Keys under `interfaces.<name>`, where the name is one that `ip link` lists. An interface that is not listed is not served.",
    ),
    section(
      "A subnet",
      SUBNET_SETTINGS,
      "Entries of the list `interfaces.<name>.subnets`: the long form, for networks behind a relay and for `exclude`. `pool` and `gateway` above are short for the interface's own subnet, which is then not listed here. No two subnets may overlap.",
    ),
    EXAMPLE,
  ].join("");
}

function section(title: string, table: Table, about?: string): string {
  const rows = Object.entries(table).map(([name, row]) => {
    const key = row.key ?? name;
    const unset = row.isRequired ? "must be given" : "–";
    const otherwise = row.otherwise === undefined ? unset : `\`${row.otherwise}\``;
    return `| \`${key}\` | ${otherwise} | ${row.many ? "list; each " : ""}${expected(row)} | ${row.doc} Example: \`${row.example}\` |\n`;
  });
  return `\n## ${title}\n\n${about ? `${about}\n\n` : ""}| key | default | value | meaning |\n|---|---|---|---|\n${rows.join("")}`;
}

/** What a parser expects, in its own words. */
function expected(row: Setting<unknown>): string {
  const parsed = row.parse(Symbol.for("nothing"));
  return parsed.kind === "fault" ? parsed.expected : "anything";
}
