// The transfer as a table of events: no sockets, no waiting.
import { describe, expect, test } from "vitest";
import {
  startTransfer,
  stepTransfer,
  type Transfer,
  type TransferAction,
  type TransferEvent,
  type TransferSpec,
} from "../../../server/tftp/transfer.ts";
import { simulate } from "./simulated-wire.ts";

const spec = (over: Partial<TransferSpec> = {}): TransferSpec => ({
  sizeBytes: 2000,
  blockBytes: 512,
  windowBlocks: 1,
  hasOack: false,
  ...over,
});

/** Feeds events at their times; answers the actions as short text. */
function play(
  over: Partial<TransferSpec>,
  ...events: [atMs: number, TransferEvent][]
): { said: string[]; state: Transfer } {
  let [state, action] = startTransfer(spec(over), 0);
  const said = [words(action)];
  for (const [atMs, event] of events) {
    [state, action] = stepTransfer(state, event, atMs);
    said.push(words(action));
  }
  return { said, state };
}
const words = (action: TransferAction): string =>
  action.kind === "send"
    ? `${action.first}-${action.last}`
    : action.kind === "give-up"
      ? `give up: ${action.reason}`
      : action.kind;
const ack = (block: number): TransferEvent => ({ kind: "ack", block });
const timeout: TransferEvent = { kind: "timeout" };

describe("lock-step", () => {
  test("each ACK brings the next block, the last one ends it", () => {
    expect(play({}, [1, ack(1)], [2, ack(2)], [3, ack(3)], [4, ack(4)]).said).toEqual([
      "1-1",
      "2-2",
      "3-3",
      "4-4",
      "done",
    ]);
  });
  test("with an OACK, block 0 goes first and waits for ACK 0", () => {
    expect(play({ hasOack: true }, [1, ack(1)], [1, ack(65535)], [2, ack(0)], [3, ack(1)]).said).toEqual([
      "0-0",
      "none",
      "none",
      "1-1",
      "2-2",
    ]);
  });
  test("a repeated ACK is not answered: no Sorcerer's Apprentice (RFC 1123 §4.2.3.1)", () => {
    expect(play({}, [1, ack(1)], [2, ack(1)], [3, ack(1)], [4, ack(0)]).said).toEqual([
      "1-1",
      "2-2",
      "none",
      "none",
      "none",
    ]);
  });
  test("a repeated ACK is answered once when the block has been on its way for more than 200 ms", () => {
    expect(play({}, [1, ack(1)], [300, ack(1)], [301, ack(1)], [400, ack(1)]).said).toEqual([
      "1-1",
      "2-2",
      "2-2",
      "none",
      "none",
    ]);
  });
  test("ACKs of blocks that were never sent, or long ago, are ignored", () => {
    expect(play({}, [1, ack(1)], [2, ack(2)], [3, ack(1)], [4, ack(9)], [5, ack(40_000)]).said.slice(3)).toEqual([
      "none",
      "none",
      "none",
    ]);
  });
});

describe("timer", () => {
  test("doubles to 4 s, then gives up after 30 s without any answer", () => {
    const { said } = runTimeouts({ hasOack: true });
    expect(said.at(-1)).toBe("give up: no answer to the OACK for 30 s");
    expect(said.slice(0, 5)).toEqual(["0-0 at 1000", "0-0 at 3000", "0-0 at 7000", "0-0 at 11000", "0-0 at 15000"]);
  });
  test("after a first answer it gives up after 60 s", () => {
    const { said, atMs } = runTimeouts({}, [1, ack(1)]);
    expect(said.at(-1)).toBe("give up: no answer to block 2 for 60 s");
    expect(atMs).toBe(60_001);
  });
  test("a negotiated timeout overrides it and does not double", () => {
    const { said } = runTimeouts({ hasOack: true, timeoutMs: 5000 });
    expect(said.slice(0, 3)).toEqual(["0-0 at 5000", "0-0 at 10000", "0-0 at 15000"]);
  });
  test("a timeout before its time is nothing", () => {
    expect(play({}, [999, timeout], [1000, timeout]).said).toEqual(["1-1", "none", "1-1"]);
  });
  test("with eight even samples the floor falls from 200 to 50 ms", () => {
    const eight = Array.from({ length: 8 }, (_, i): [number, TransferEvent] => [i + 1, ack(i + 1)]);
    const few = play({ sizeBytes: 60_000 }, ...eight.slice(0, 7)).state;
    const sure = play({ sizeBytes: 60_000 }, ...eight).state;
    expect(few.dueAtMs - few.sentAtMs).toBe(200);
    expect(sure.dueAtMs - sure.sentAtMs).toBe(50);
  });
  test("a retransmitted block is not measured (Karn)", () => {
    const { state } = play({}, [1000, timeout], [1001, ack(1)]);
    expect(state.trip.samples).toBe(0);
    expect(state.doublings).toBe(0);
  });

  function runTimeouts(over: Partial<TransferSpec>, ...before: [number, TransferEvent][]) {
    let { state } = play(over, ...before);
    const said: string[] = [];
    for (let i = 0; i < 100; i++) {
      const atMs = state.dueAtMs;
      const [next, action] = stepTransfer(state, timeout, atMs);
      state = next;
      said.push(action.kind === "send" ? `${words(action)} at ${atMs}` : words(action));
      if (action.kind === "give-up") return { said, atMs };
    }
    throw new Error("it never gave up");
  }
});

describe("windows (RFC 7440)", () => {
  const over = { windowBlocks: 4, sizeBytes: 512 * 20 };
  const even: [number, TransferEvent][] = [
    [1, ack(4)],
    [2, ack(8)],
  ];
  test("a window is sent at once, its last ACK brings the next", () => {
    expect(play({ ...over, sizeBytes: 512 * 10 }, ...even, [3, ack(11)]).said).toEqual(["1-4", "5-8", "9-11", "done"]);
  });
  test("an ACK inside the window slides it; if the client does not go on, the rest is sent again soon", () => {
    const { said, state } = play(over, ...even, [3, ack(10)]);
    expect(said.slice(2)).toEqual(["9-12", "13-14"]);
    expect(state.dueAtMs).toBeCloseTo(3 + 2 * 1 + 4 * state.trip.variationMs, 5);
    expect(words(stepTransfer(state, timeout, state.dueAtMs)[1])).toBe("11-14");
  });
  test("repeated ACKs send nothing by themselves, however many (EDK2 answers every block after a gap)", () => {
    const { said, state } = play(over, ...even, [3, ack(8)], [3.1, ack(8)], [3.2, ack(8)]);
    expect(said.slice(3)).toEqual(["none", "none", "none"]);
    expect(words(stepTransfer(state, timeout, state.dueAtMs)[1])).toBe("9-12");
  });
  test("from the same block it sends again once in 50 ms, whatever the client says", () => {
    let { state } = play(over, ...even, [3, ack(8)]);
    const firstMs = state.dueAtMs;
    [state] = stepTransfer(state, timeout, firstMs);
    [state] = stepTransfer(state, ack(8), firstMs + 1);
    expect(state.dueAtMs).toBe(firstMs + 50);
    expect(state.doublings).toBe(0);
  });
  test("blocks that come twice do not make every later window go out twice", () => {
    // The ACK of 5-8 was slow, so they were sent again; the client answers each of them with the ACK of what it has.
    let { state } = play(over, [1, ack(4)], [201, timeout]);
    const said: string[] = [];
    for (const [atMs, block] of [
      [202, 8],
      [202.1, 8],
      [202.2, 8],
      [202.3, 8],
      [203, 12],
      [204, 16],
      [205, 20],
    ] as const) {
      const [next, action] = stepTransfer(state, ack(block), atMs);
      state = next;
      said.push(words(action));
    }
    expect(said).toEqual(["9-12", "none", "none", "none", "13-16", "17-20", "21-21"]);
  });
  test("a silent client gets the whole window again, doubling", () => {
    expect(play(over, [1, ack(4)], [201, timeout], [601, timeout]).said).toEqual(["1-4", "5-8", "5-8", "5-8"]);
  });
});

describe("ends", () => {
  test.each([0, 8])("ERROR %i from the client is quiet: it ends its size probe so", (code) => {
    const [state] = startTransfer(spec({ hasOack: true }), 0);
    expect(stepTransfer(state, { kind: "error", code, message: "Early terminate" }, 1)[1]).toMatchObject({
      kind: "give-up",
      isQuiet: true,
    });
  });
  test("any other ERROR is told with its words", () => {
    const [state] = startTransfer(spec(), 0);
    const [, action] = stepTransfer(state, { kind: "error", code: 3, message: "disk full" }, 1);
    expect(action).toEqual({ kind: "give-up", reason: "the client says: disk full (code 3)", isQuiet: false });
  });
  test("ICMP unreachable after the last block is the end of a client that has its file", () => {
    const events: [number, TransferEvent][] = [
      [1, ack(1)],
      [2, ack(2)],
      [3, ack(3)],
      [4, { kind: "unreachable" }],
    ];
    expect(play({}, ...events).said.at(-1)).toBe("done");
  });
  test("ICMP unreachable earlier is a failure, before the first ACK a quiet one", () => {
    expect(play({}, [1, ack(1)], [2, { kind: "unreachable" }]).said.at(-1)).toBe("give up: the client closed its port");
    const [state] = startTransfer(spec(), 0);
    expect(stepTransfer(state, { kind: "unreachable" }, 1)[1]).toMatchObject({ isQuiet: true });
  });
  test("the same request again before the first ACK repeats the first packet, later it does nothing here", () => {
    expect(
      play({ hasOack: true }, [1, { kind: "asked-again" }], [2, ack(0)], [3, { kind: "asked-again" }]).said,
    ).toEqual(["0-0", "0-0", "1-1", "none"]);
  });
});

describe("sizes", () => {
  for (const blockBytes of [8, 511, 512, 513, 1468]) {
    for (const sizeBytes of [0, blockBytes - 1, blockBytes, blockBytes + 1, 5 * blockBytes]) {
      for (const windowBlocks of [1, 4, 16]) {
        test(`${sizeBytes} bytes in blocks of ${blockBytes}, window ${windowBlocks}`, () => {
          const result = simulate({
            spec: spec({ sizeBytes, blockBytes, windowBlocks, hasOack: true }),
            seed: 1,
            loss: 0,
            oneWayMs: 1,
            habit: "re-acks",
          });
          const blocks = Math.floor(sizeBytes / blockBytes) + 1;
          expect(result).toMatchObject({
            end: "done",
            received: Array.from({ length: blocks }, (_, i) => i + 1),
            sentPackets: blocks + 1,
          });
        });
      }
    }
  }
  for (const windowBlocks of [1, 16]) {
    test(`the block number wraps 65535 → 0 → 1, window ${windowBlocks}`, () => {
      let [state, action] = startTransfer(spec({ sizeBytes: 8 * 140_000, blockBytes: 8, windowBlocks }), 0);
      let next = 1;
      for (let ms = 1; action.kind === "send"; ms++) {
        expect(action.first).toBe(next);
        next = action.last + 1;
        [state, action] = stepTransfer(state, { kind: "ack", block: action.last & 0xffff }, ms);
      }
      expect(action.kind).toBe("done");
      expect(next).toBe(140_002);
    });
  }
});

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
describe(`loss, seed ${SEED}`, () => {
  for (const habit of ["re-acks", "silent"] as const) {
    for (const windowBlocks of [1, 4, 16]) {
      for (const loss of [0.01, 0.1, 0.3]) {
        test(`${loss * 100} % each way, window ${windowBlocks}, client ${habit}: every block once and in order`, () => {
          for (let i = 0; i < 10; i++) {
            const blocks = 400;
            const result = simulate({
              spec: spec({ sizeBytes: 512 * (blocks - 1), windowBlocks, hasOack: true }),
              seed: SEED + i,
              loss,
              oneWayMs: 0.2,
              habit,
            });
            const isWhole = result.received.every((block, at) => block === at + 1);
            expect({ seed: SEED + i, end: result.end, count: result.received.length, isWhole }).toMatchObject({
              count: blocks,
              isWhole: true,
            });
            // Only the last ACK may stay lost for good: then the server gives up although the client has all.
            if (result.end === "gave-up") expect(result.received).toHaveLength(blocks);
            // No storm: a window client may make us send a window per loss, never more than that.
            expect(result.sentPackets).toBeLessThan(blocks * (1 + loss * (2 * windowBlocks + 4)) + 100);
          }
        });
      }
    }
  }
  test("with 1 % loss the measured timer is far faster than one of 1 s", () => {
    const options = {
      spec: spec({ sizeBytes: 1468 * 700, blockBytes: 1468, hasOack: true }),
      seed: SEED,
      loss: 0.01,
      oneWayMs: 0.1,
      habit: "re-acks" as const,
    };
    const measured = simulate({ ...options, clientTimeoutMs: 4000 }).ms;
    const fixed = simulate({ ...options, spec: { ...options.spec, timeoutMs: 1000 }, clientTimeoutMs: 4000 }).ms;
    expect(measured * 3).toBeLessThan(fixed);
  });
});
