// The Node service: one stream per enrolled machine. Who it is comes from the client certificate of the connection; what it
// reports is written by the table below, one report at a time, so that a machine that talks too fast is held back by
// HTTP/2's flow control. Edge: reads and writes the inventory. server.ts registers it.
import { constants, type ServerHttp2Stream } from "node:http2";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { Mac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { SlipwayError } from "../contract/errors.ts";
import { type NodeOrder, NodeReport, NodeService } from "../contract/generated/agent.ts";
import { parseCertificate } from "../contract/pki/certificate.ts";
import { keyFingerprint as fingerprintOf } from "../contract/pki/key.ts";
import { decideRenewal } from "./enrolment.ts";
import { ReportWriter } from "./report-service.ts";
import type { Session, Sessions } from "./session.ts";
import { faultOf } from "./status.ts";

export type NodeDeps = {
  inventory: Inventory;
  log: Log;
  record: RecordEvent;
  /** Milliseconds since 1970. */
  now: () => number;
  sessions: Sessions;
};

/** Bytes that are no report. */
const MALFORMED = Symbol("a report that cannot be decoded");
export type ReadReport = NodeReport | typeof MALFORMED;
type Call = ServerDuplexStream<ReadReport, NodeOrder>;
export type Caller = { machine: Machine; mac: Mac; keyFingerprint: string; validTo: number };

/**
 * The Node service with a decoder that does not throw: grpc-js would end the call behind our back (closeAfterFault), and
 * tell the machine INTERNAL for what is the machine's own mistake.
 */
export const TOLERANT_NODE_SERVICE = {
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

/** @throws NOT_ENROLLED unless the connection's certificate is this appliance's, in time, not revoked and its machine's own. */
async function identifyCaller({ inventory, now }: NodeDeps, call: Call): Promise<Caller> {
  // grpc-js leaves out certificates that did not verify against the appliance's CA.
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) throw new SlipwayError("NOT_ENROLLED", "a valid client certificate is needed here");
  const certificate = parseCertificate(raw);
  const keyFingerprint = fingerprintOf(certificate.publicKey);
  const machine = await inventory.findMachineById(certificate.subject.commonName ?? "");
  const decision = decideRenewal(machine, keyFingerprint, await inventory.isKeyRevoked(keyFingerprint));
  if (decision.kind === "refuse") throw new SlipwayError("NOT_ENROLLED", decision.reason);
  const validTo = certificate.notAfter.getTime();
  if (now() > validTo) throw new SlipwayError("NOT_ENROLLED", "the client certificate ran out");
  return { machine: machine!, mac: machine!.macs[0]!, keyFingerprint, validTo };
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
  const writer = new ReportWriter(deps, caller, (order) => call.write(order));
  const ended = new AbortController();
  const session: Session = {
    machineId: caller.machine.id,
    keyFingerprint: caller.keyFingerprint,
    refresh: () => void writer.sendState().catch((error) => log.error(`A machine's state was not sent: ${error}`)),
    end: (reason) => ended.abort(new SlipwayError("NOT_RUNNING", reason)),
  };
  sessions.add(session);
  call.on("drain", () => writer.drained());
  log.info(`${caller.machine.name ?? caller.mac} is in touch.`, { mac: caller.mac });
  try {
    await writer.sendState();
    await readAll(call, ended.signal, async (report) => {
      if (now() > caller.validTo) throw new SlipwayError("NOT_ENROLLED", "the client certificate ran out");
      if (report === MALFORMED) throw new SlipwayError("BAD_REQUEST", "a report of this stream cannot be decoded");
      await writer.write(report);
    });
  } finally {
    writer.close();
    if (sessions.remove(session)) {
      record({ kind: "agent-lost", mac: caller.mac });
      log.info(`${caller.machine.name ?? caller.mac} is out of touch.`, { mac: caller.mac });
    }
  }
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
