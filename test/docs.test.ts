// Documents agree with the tables and the tree: what no test reads will drift.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { ACTIVITY, LIFECYCLE } from "../inventory/machine.ts";
import {
  AUTOEXEC,
  ENTRY_PATH,
  httpLoaderPath,
  imagePath,
  loaderPath,
  SCRIPT_PATH,
  ticketPath,
} from "../server/boot/paths.ts";
import { pages } from "../server/cli/write-docs.ts";
import { INTERFACE_SETTINGS, SETTINGS, SUBNET_SETTINGS } from "../server/config/settings.ts";
import { ERRORS } from "../server/contract/errors.ts";
import { PORTS } from "../server/contract/kubernetes/node-paths.ts";
import { slowRoles } from "./lab/cluster-shape.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const DOCUMENTS = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT });
const SOURCES = globSync("{server,inventory,ipxe,boot-assets,node-agent,setup}/**/*.{ts,mjs}", { cwd: ROOT }).filter(
  (path) => !path.includes("node_modules") && !path.includes("/generated/"),
);

for (const [name, text] of Object.entries(await pages())) {
  test(`docs/${name} is what \`npm run docs\` writes now`, () => expect(read(`docs/${name}`)).toBe(text));
}

test("docs/errors.md has a heading for each code, and no other", () => {
  const headings = [...read("docs/errors.md").matchAll(/^### (\S+)$/gm)].map((m) => m[1]);
  expect(headings).toEqual(Object.keys(ERRORS));
});

test("docs/configuration.md has a row for each setting, and no other", () => {
  const rows = [...read("docs/configuration.md").matchAll(/^\| `([^`]+)` \|/gm)].map((m) => m[1]);
  const tables = [SETTINGS, INTERFACE_SETTINGS, SUBNET_SETTINGS].flatMap((table) => Object.entries(table));
  expect(rows).toEqual(tables.map(([name, row]) => ("key" in row && row.key) || name));
});

test("docs/lifecycle.md has every state with all its moves, and no other", () => {
  const rows = [...read("docs/lifecycle.md").matchAll(/^\| `([a-z-]+)` \|.*\| ([^|]*) \|$/gm)];
  const shown = rows.map(([, state, moves]) => [state, [...moves!.matchAll(/`([a-z-]+)`/g)].map((m) => m[1])]);
  expect(shown).toEqual([...Object.entries(LIFECYCLE), ...Object.entries(ACTIVITY)]);
});

test("docs/ports-and-endpoints.md names every path that machines fetch, and every port", () => {
  const page = read("docs/ports-and-endpoints.md");
  const upToVariable = (path: string) => path.slice(0, path.indexOf("@"));
  const paths = [
    ENTRY_PATH,
    SCRIPT_PATH,
    AUTOEXEC,
    loaderPath("bios"),
    loaderPath("uefi-x86_64"),
    loaderPath("uefi-arm64"),
    upToVariable(ticketPath("@")),
    upToVariable(httpLoaderPath("bios", "@")),
    upToVariable(imagePath("@", "kernel")),
  ];
  expect(paths.filter((path) => !page.includes(path))).toEqual([]);
  const ports = [
    "67",
    "69",
    "4011",
    String(SETTINGS["http.port"].otherwise),
    String(SETTINGS["grpc.port"].otherwise),
    "admin.sock",
  ];
  expect(ports.filter((port) => !new RegExp(`\\b${port}\\b`).test(page))).toEqual([]);
});

test("docs/ports-and-endpoints.md names every port of a node, and which are on 127.0.0.1 only", () => {
  const [, section = ""] = read("docs/ports-and-endpoints.md").split("## Ports of a node");
  const rows = section.split("\n").filter((line) => /^\| (TCP|UDP) /.test(line));
  const local = new Set<number>([PORTS.staticPods, PORTS.etcdHttp, PORTS.controllerManager, PORTS.scheduler]);
  for (const port of Object.values(PORTS)) {
    const row = rows.find((line) => new RegExp(`^[^|]*\\|[^|]*\\b${port}\\b`).test(line));
    expect(row, `port ${port}`).toBeDefined();
    expect(row!.split("|")[1]!.includes("127.0.0.1"), `port ${port}`).toBe(local.has(port));
  }
});

test("docs/lab.md names each setting of the slow roles", () => {
  const page = read("docs/lab.md");
  const keys = slowRoles()
    .split("\n")
    .flatMap((line) => /^ +([a-zA-Z-]+): "?\d+(?:ms|m|s)?"?$/.exec(line)?.[1] ?? [])
    .map((key) => (key.startsWith("leader-elect-") ? "leader-elect-" : key));
  expect(keys.length).toBeGreaterThan(15);
  expect(keys.filter((key) => key !== "cpu" && !page.includes(`\`${key}`))).toEqual([]);
});

test("README.md's service commands and systemd/slipway.service name the same places", () => {
  const unit = read("systemd/slipway.service");
  const [, heading] = /README\.md, "([^"]+)"/.exec(unit) ?? [];
  const section =
    read("README.md")
      .split(/^## /m)
      .find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const places = {
    tree: /^ExecStart=(\S+)\/slipway serve /m.exec(unit)?.[1],
    settings: /^ExecStart=.* --config (\S+)$/m.exec(unit)?.[1],
    identity: /^LoadCredential=slipway-identity:(\S+)$/m.exec(unit)?.[1],
    dataDir: `/var/lib/${/^StateDirectory=(\S+)$/m.exec(unit)?.[1]}`,
  };
  for (const [name, place] of Object.entries(places)) expect(section, name).toContain(place);
  for (const [, file] of section.matchAll(/\/opt\/slipway\/(systemd\/\S+)/g))
    expect(existsSync(join(ROOT, file!)), file).toBe(true);
});

/** Links, and paths in code that name a file or directory of this tree. */
const LINK = /\]\(([^)#\s]+)(?:#[^)]*)?\)/g;
const PATH = /`((?:server|inventory|ipxe|boot-assets|node-agent|systemd|setup|docs|test)\/[\w./*<>-]*)`/g;
const isThere = (path: string) =>
  path.includes("*") ? globSync(path, { cwd: ROOT }).length > 0 : existsSync(join(ROOT, path));

for (const document of DOCUMENTS) {
  test(`${document}: every link and path leads somewhere`, () => {
    const text = read(document);
    const links = [...text.matchAll(LINK)].map((m) => m[1]!).filter((link) => !/^[a-z]+:/.test(link));
    const missing = [
      ...links.filter((link) => !isThere(normalize(join(dirname(document), link)))),
      ...[...text.matchAll(PATH)].map((m) => m[1]!).filter((path) => !path.includes("<") && !isThere(path)),
    ];
    expect(missing).toEqual([]);
  });
}

test("every page that the code sends people to is there", () => {
  const named = SOURCES.flatMap((source) =>
    [...read(source).matchAll(/\bdocs\/[\w/-]+\.md\b/g)].map((m) => `${m[0]} (${source})`),
  );
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((name) => !isThere(name.split(" ")[0]!))).toEqual([]);
});
