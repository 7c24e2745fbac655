// The Node service: one stream per enrolled machine. Who it is comes from the client certificate of the connection; what it
// reports is written by the table below, one report at a time, so that a machine that talks too fast is held back by
// HTTP/2's flow control. Edge: reads and writes the inventory. server.ts registers it.
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { Mac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { NodeOrder, NodeReport } from "../contract/generated/agent.ts";
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

type Call = ServerDuplexStream<NodeReport, NodeOrder>;
export type Caller = { machine: Machine; mac: Mac; keyFingerprint: string; validTo: number };

/** Serves one stream to its end. Never throws: what goes wrong is the stream's status. */
export async function serveReport(deps: NodeDeps, call: Call): Promise<void> {
  // Without a listener an 'error' (the machine vanished) would end the process.
  call.on("error", () => {});
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

async function serveCaller(deps: NodeDeps, call: Call, caller: Caller): Promise<void> {
  const { sessions, record, log, now } = deps;
  const writer = new ReportWriter(deps, caller, (order) => call.write(order));
  const session: Session = {
    machineId: caller.machine.id,
    keyFingerprint: caller.keyFingerprint,
    refresh: () => void writer.sendState().catch((error) => log.error(`A machine's state was not sent: ${error}`)),
    end: (reason) => {
      if (!call.cancelled) call.emit("error", faultOf(new SlipwayError("NOT_RUNNING", reason)));
      call.destroy();
    },
  };
  sessions.add(session);
  call.on("drain", () => writer.drained());
  log.info(`${caller.machine.name ?? caller.mac} is in touch.`, { mac: caller.mac });
  try {
    await writer.sendState();
    for await (const report of call) {
      if (now() > caller.validTo) throw new SlipwayError("NOT_ENROLLED", "the client certificate ran out");
      await writer.write(report as NodeReport);
    }
  } finally {
    writer.close();
    if (sessions.remove(session)) {
      record({ kind: "agent-lost", mac: caller.mac });
      log.info(`${caller.machine.name ?? caller.mac} is out of touch.`, { mac: caller.mac });
    }
  }
}
