// The trace's judge on traces made by hand: it must tell the right order from each wrong one.
import { expect, test } from "vitest";
import { judgeTrace, parseTrace } from "./durable-trace.ts";

const hex = (text: string) =>
  [...Buffer.from(text, "latin1")].map((b) => `\\x${b.toString(16).padStart(2, "0")}`).join("");
const MAC = "52:54:00:00:00:01";
const ROW = `192.0.2.0/24192.0.2.128${MAC}`;
const write = `7 pwrite64(21</d/inventory.db-wal>, "${hex(`page ${ROW} page`)}", 4096, 32) = 4096`;
const sync = "7 fdatasync(21</d/inventory.db-wal>) = 0";
const ack = `7 sendmsg(19<socket:[5]>, {msg_iov=[{iov_base="${hex("\x52\x54\0\0\0\x01 \x63\x82\x53\x63\x35\x01\x05")}", iov_len=300}]}, 0) = 300`;
const otherSync = "7 fdatasync(22</d/log-lines.db-wal>) = 0";

const ROWS = [
  { name: "written, synced, sent", trace: [write, sync, ack], want: true },
  { name: "sent before the sync", trace: [write, ack, sync], want: false },
  { name: "never synced", trace: [write, ack], want: false },
  {
    name: "another file was synced",
    trace: [write, otherSync, ack].map((l) => l.replace("log-lines.db-wal", "log.db")),
    want: false,
  },
  { name: "synced before it was written", trace: [sync, write, ack], want: false },
  { name: "sent before it was written", trace: [ack, write, sync], want: false },
  { name: "the sync failed", trace: [write, sync.replace("= 0", "= -1 EIO (Input/output error)"), ack], want: false },
  { name: "no ACK", trace: [write, sync], want: false },
  {
    name: "a sync that began before the write, in another thread",
    trace: ["8 fdatasync(21</d/inventory.db-wal> <unfinished ...>", write, "8 <... fdatasync resumed>) = 0", ack],
    want: false,
  },
  {
    name: "a sync that another thread cut in two ends where it resumes",
    trace: [
      write,
      "7 fdatasync(21</d/inventory.db-wal> <unfinished ...>",
      ack.replace("7 ", "8 "),
      "7 <... fdatasync resumed>) = 0",
    ],
    want: false,
  },
];
for (const { name, trace, want } of ROWS) {
  test(`judgeTrace: ${name}`, () => {
    expect(judgeTrace(trace.join("\n"), [{ mac: MAC, row: ROW }])[0]?.isDurable).toBe(want);
  });
}

test("parseTrace reads paths that strace printed as hex", () => {
  const [call] = parseTrace(`7 fdatasync(21<${hex("/d/inventory.db-wal")}>) = 0`);
  expect(call).toMatchObject({ name: "fdatasync", path: "/d/inventory.db-wal", isDone: true });
});
