// The settings file as the file system gives it: where it is looked for, what its paths are relative to, who "~" is.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { homeOf, readConfig } from "../../../server/config/read-config.ts";

let dir = "";
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "slipway-config-")));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, text: string | Uint8Array) => writeFileSync(join(dir, name), text);
const env = { HOME: "/home/anna" };
const faultOf = (options: Parameters<typeof readConfig>[0]) => {
  try {
    readConfig({ env, cwd: dir, ...options });
  } catch (error) {
    return error as { code: string; message: string; faults: unknown };
  }
  throw new Error("no fault");
};

test("readConfig takes ./slipway.yaml by itself and makes its paths relative to it", () => {
  write("slipway.yaml", "dataDir: state\nidentity: ~/key.age\n");
  expect(readConfig({ env, cwd: dir })).toMatchObject({
    file: join(dir, "slipway.yaml"),
    dataDir: join(dir, "state"),
    identity: "/home/anna/key.age",
  });
});

test("readConfig takes the file it is told, from another directory", () => {
  mkdirSync(join(dir, "etc"));
  write("etc/site.yaml", "dataDir: ../state\n");
  expect(readConfig({ env, cwd: dir, file: "etc/site.yaml" }).dataDir).toBe(join(dir, "state"));
});

test("readConfig without a file keeps its data beside the launcher", () => {
  const config = readConfig({ env, cwd: "/", projectDir: dir, interfaceNames: ["eth1"] });
  expect(config.dataDir).toBe(join(dir, "data"));
  expect(config.interfaces[0]).toMatchObject({ name: "eth1", dhcp: "auto" });
  expect(config.file).toBeUndefined();
});

test("readConfig lays overrides over the file, key by key", () => {
  write("slipway.yaml", "log: { level: warn }\nhttp: { port: 9000 }\n");
  const config = readConfig({ env, cwd: dir, overrides: { http: { port: 0 }, dataDir: "/tmp/x" } });
  expect(config).toMatchObject({ http: { port: 0 }, dataDir: "/tmp/x", log: { level: "warn", format: "pretty" } });
});

test("readConfig throws all faults in one BAD_CONFIG, as text and as data", () => {
  write("slipway.yaml", "http: { port: 0 }\nlog: { level: x }\n");
  const fault = faultOf({});
  expect(fault.code).toBe("BAD_CONFIG");
  expect(fault.message.split("\n")).toHaveLength(2);
  expect(fault.faults).toEqual([
    { at: "slipway.yaml:1:15: http.port", message: "must be a port from 1 to 65535, found 0" },
    { at: "slipway.yaml:2:15: log.level", message: 'must be one of debug, info, warn, error, found "x"' },
  ]);
});

test("readConfig sees through a link that hides the identity in dataDir", () => {
  mkdirSync(join(dir, "data"));
  symlinkSync(join(dir, "data"), join(dir, "elsewhere"));
  write("slipway.yaml", "identity: elsewhere/key.age\n");
  expect(faultOf({}).message).toContain("identity: must be outside dataDir");
});

const UNREADABLE: { name: string; file: string; make?: () => void; want: string }[] = [
  { name: "a missing file", file: "no.yaml", want: "no.yaml: there is no such file; create it, or leave --config out" },
  { name: "a directory", file: "d.yaml", make: () => mkdirSync(join(dir, "d.yaml")), want: "d.yaml: is a directory" },
  {
    name: "a file that is no text",
    file: "b.yaml",
    make: () => write("b.yaml", Uint8Array.of(0xff, 0xfe, 0x00)),
    want: "b.yaml: is not UTF-8 text",
  },
  {
    name: "a file over the cap",
    file: "l.yaml",
    make: () => write("l.yaml", "#".repeat(256 * 1024 + 1)),
    want: "l.yaml: has 262145 bytes; a settings file has at most 262144",
  },
];
for (const { name, file, make, want } of UNREADABLE) {
  test(`readConfig names ${name}`, () => {
    make?.();
    const fault = faultOf({ file });
    expect(fault.code).toBe("BAD_CONFIG");
    expect(fault.message).toContain(want);
  });
}

test("homeOf is the home of who called sudo, but only when it is root that runs", () => {
  const [name, , , , , home] = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((l) => l.startsWith("daemon:"))!
    .split(":");
  const isRoot = process.getuid!() === 0;
  expect(homeOf({ HOME: "/home/anna" })).toBe("/home/anna");
  expect(homeOf({ HOME: "/root", SUDO_USER: name })).toBe(isRoot ? home : "/root");
  expect(homeOf({ HOME: "/root", SUDO_USER: "root" })).toBe("/root");
  expect(homeOf({ HOME: "/root", SUDO_USER: "no-such-user" })).toBe("/root");
});
