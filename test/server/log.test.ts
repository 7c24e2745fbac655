// One line per sentence, in two forms; what comes from the wire cannot write to the admin's terminal.
import { expect, test } from "vitest";
import { type LogOptions, openLog } from "../../server/log.ts";

const AT = new Date(2026, 0, 2, 3, 4, 5).getTime();
function linesOf(
  options: Partial<LogOptions> & { isTTY?: boolean },
  say: (log: ReturnType<typeof openLog>) => void,
): string {
  let text = "";
  const output = { isTTY: options.isTTY ?? false, write: (t: string) => (text += t) };
  say(openLog({ level: "info", format: "pretty", now: () => AT, output, ...options }));
  return text;
}

test("openLog writes one plain line with local time, level, sentence and fields", () => {
  const text = linesOf({}, (log) => {
    log.info("HTTP serves on 192.0.2.1:8080", { interface: "eth1", missing: undefined });
    log.warn("the disk is nearly full", { freeBytes: 12, path: "/a b" });
    log.debug("not shown");
  });
  expect(text).toBe(
    '03:04:05 info  HTTP serves on 192.0.2.1:8080  interface=eth1\n03:04:05 warn  the disk is nearly full  freeBytes=12 path="/a b"\n',
  );
});

test("openLog colours only on a terminal", () => {
  const say = (log: ReturnType<typeof openLog>) => log.error("x");
  expect(linesOf({ isTTY: true }, say)).toContain("\u001b[");
  expect(linesOf({ isTTY: false }, say)).not.toContain("\u001b[");
});

test("openLog keeps a hostile name on its line and its escape codes out of the terminal", () => {
  const text = linesOf({}, (log) => log.info("host a\nfake line \u001b[2J", { file: "b\r\n\u009bc" }));
  expect(text).toBe('03:04:05 info  host a\\x0afake line \\x1b[2J  file="b\\r\\n\\x9bc"\n');
});

test("openLog says what an error was and what was under it", () => {
  const cause = new Error("EADDRINUSE");
  expect(linesOf({}, (log) => log.error("no port", { err: new Error("UDP 67", { cause }) }))).toBe(
    "03:04:05 error no port  err=UDP 67 (EADDRINUSE)\n",
  );
});

test("openLog writes JSON lines with level names and ISO time, and keeps the stack", () => {
  const text = linesOf({ format: "json", level: "debug" }, (log) => {
    log.debug("a", { mac: "52:54:00:00:00:01" });
    log.error("b", { err: new Error("boom") });
  });
  const [a, b] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(a).toEqual({ level: "debug", time: new Date(AT).toISOString(), mac: "52:54:00:00:00:01", msg: "a" });
  expect(b.err).toMatchObject({ message: "boom", stack: expect.stringContaining("log.test.ts") });
});
