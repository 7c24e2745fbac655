// The Node service: one stream per enrolled machine. Who it is comes from the client certificate of the connection; what it
// reports is written by the table below, one report at a time, so that a machine that talks too fast is held back by
// HTTP/2's flow control. Edge: reads and writes the inventory. server.ts registers it.
import { constants, type ServerHttp2Stream } from "node:http2";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { type Ipv4, parseIpv4 } from "../../inventory/address.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { SlipwayError } from "../contract/errors.ts";
import { type NodeOrder, NodeReport, NodeService } from "../contract/generated/agent.ts";
import { type Caller, identifyCaller } from "./caller-service.ts";
import type { ClusterDesk } from "./cluster-port.ts";
import { ReportWriter } from "./report-service.ts";
import type { Session, Sessions } from "./session.ts";
import { faultOf } from "./status.ts";
import type { Twins } from "./twin-watch.ts";

export type NodeDeps = {
  inventory: Inventory;
  log: Log;
  record: RecordEvent;
  /** Milliseconds since 1970. */
  now: () => number;
  sessions: Sessions;
  /** undefined: there are no clusters, and no machine is given a config. */
  desk?: ClusterDesk | undefined;
  /** `http://ip:port/image/<id>/` of the image to install on `amd64`, `arm64` …, as a machine at this address of ours reaches it. */
  imageUrlFor: (arch: string, localIp: Ipv4) => string | undefined;
  /** How long a config is given out, from the first contact with an install's order. */
  armedMs: number;
};

/** How often an agent's word is written down as the machine's being seen; what is shown of one in touch is the present. */
const HEARD_EVERY_MS = 60_000;

/** Bytes that are no report. */
const MALFORMED = Symbol("a report that cannot be decoded");
export type ReadReport = NodeReport | typeof MALFORMED;
type Call = ServerDuplexStream<ReadReport, NodeOrder>;

/**
 * The Node service with a decoder that does not throw: grpc-js would end the call behind our back (closeAfterFault), and
 * tell the machine INTERNAL for what is the machine's own mistake.
 */
export const TOLERANT_NODE_SERVICE = {
  fetchConfig: NodeService.fetchConfig,
  report: {
    ...NodeService.report,
    requestDeserialize: (bytes: Buffer): ReadReport => {
      try {
        return NodeReport.decode(bytes);
      } catch {
        return MALFORMED;
      }
    },
    // grpc-js asks for both directions, whichever side it is on.
    requestSerialize: (report: ReadReport): Buffer =>
      NodeService.report.requestSerialize(report === MALFORMED ? { report: undefined } : report),
  },
};

/** Serves one stream to its end. Never throws: what goes wrong is the stream's status. */
export async function serveReport(deps: NodeDeps, call: Call): Promise<void> {
  // Without a listener an 'error' (the machine vanished) would end the process.
  call.on("error", () => {});
  closeAfterFault(call);
  try {
    await serveCaller(deps, call, await identifyCaller(deps, call));
    call.end();
  } catch (error) {
    const fault = faultOf(error);
    if (!(error instanceof SlipwayError)) deps.log.error(`A machine's stream failed: ${String(error)}`, { error });
    if (!call.cancelled) call.emit("error", fault);
  }
}

/**
 * grpc-js 1.14 ends a call by itself when a message is too long or cannot be unpacked. An order of ours that is on its way at
 * that moment then fails with "write after end", the trailers are never sent, and the HTTP/2 stream stays open until the
 * connection ends (found by test/long/fuzz-grpc.ts). The stream is not in grpc-js's public face; where a later version has
 * moved it nothing happens.
 */
function closeAfterFault(call: Call): void {
  const { stream } = (call as unknown as { call?: { stream?: ServerHttp2Stream } }).call ?? {};
  stream?.once("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
}

async function serveCaller(deps: NodeDeps, call: Call, caller: Caller): Promise<void> {
  const { sessions, record, log, now } = deps;
  const localIp = parseIpv4(call.getHost().replace(/:\d+$/, ""));
  const writer = new ReportWriter(deps, caller, localIp, (order) => call.write(order));
  const ended = new AbortController();
  const session: Session = {
    machineId: caller.machine.id,
    keyFingerprint: caller.keyFingerprint,
    live: writer.live,
    remoteIp: call.getPeer().replace(/:\d+$/, ""),
    refresh: () => void writer.sendState().catch((error) => log.error(`A machine's state was not sent: ${error}`)),
    end: (reason) => ended.abort(new SlipwayError("NOT_RUNNING", reason)),
  };
  const twins = sessions.add(session, now());
  if (twins !== undefined) tellTwins(deps, caller, twins);
  call.on("drain", () => writer.drained());
  log.info(`${caller.machine.name ?? caller.mac} is in touch.`, { mac: caller.mac });
  const hear = hearing(deps, caller);
  hear();
  try {
    await writer.sendState();
    await readAll(call, ended.signal, async (report) => {
      if (now() > caller.validTo) throw new SlipwayError("NOT_ENROLLED", "the client certificate ran out");
      hear();
      if (report === MALFORMED) throw new SlipwayError("BAD_REQUEST", "a report of this stream cannot be decoded");
      await writer.write(report);
    });
  } finally {
    writer.close();
    hear(true);
    if (sessions.remove(session)) {
      deps.desk?.noteGone(caller.machine.id);
      record({ kind: "agent-lost", mac: caller.mac });
      log.info(`${caller.machine.name ?? caller.mac} is out of touch.`, { mac: caller.mac });
    }
  }
}

/** @returns what notes that the machine is there: once a minute while it talks, and at the end of its stream (`isLast`). */
function hearing({ inventory, log, now }: NodeDeps, { machine, mac }: Caller): (isLast?: boolean) => void {
  let heardAt = Number.NEGATIVE_INFINITY;
  return (isLast = false) => {
    const at = now();
    if (!isLast && at - heardAt < HEARD_EVERY_MS) return;
    heardAt = at;
    // The disk's own fault is told by whoever has more to lose.
    inventory.hearMachine(machine.id, at).catch((err) => log.debug("A machine's word was not noted", { mac, err }));
  };
}

function tellTwins({ record, log }: NodeDeps, { machine, mac }: Caller, { first, second }: Twins): void {
  const remedy = "switch the copy off, or wipe its disk; if the key was stolen: slipway install, which gives a new one";
  record({ kind: "machine-twice", mac, detail: { first, second, remedy } });
  log.warn(`${machine.name ?? mac} is heard from ${first} and ${second} in turn: two machines have its key.`, { mac });
}

/**
 * Gives out reports one after the other until the machine ends its side, vanishes, or the signal says stop (its reason is
 * thrown). Not `for await`: that destroys the stream when it stops early, and a destroyed stream sends no status, so that the
 * machine would wait for ever.
 */
function readAll(call: Call, signal: AbortSignal, take: (report: ReadReport) => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    // It may have vanished before anybody listened: no event comes for that any more.
    if (call.cancelled || call.destroyed) return resolve();
    let taken: Promise<void> = Promise.resolve();
    call.on("data", (report: ReadReport) => {
      // Not read on until this one is written: HTTP/2 then holds back a machine that is too fast.
      call.pause();
      taken = take(report).then(() => void call.resume());
      taken.catch(reject);
    });
    // Both may come while the last report is still being written.
    call.once("end", () => taken.then(resolve, reject));
    call.once("close", () => taken.then(resolve, reject));
  });
}
