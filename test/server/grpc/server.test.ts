// The gRPC port itself: who may come in, what it shows, where it listens, and what it does with too much.
import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { connect, type TLSSocket } from "node:tls";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLink } from "../../../node-agent/report.ts";
import { type EnrolRequest, NodeReport } from "../../../server/contract/generated/agent.ts";
import { createCsr } from "../../../server/contract/pki/csr.ts";
import { formatPrivateKey, generateKey } from "../../../server/contract/pki/key.ts";
import { EnrolmentRules } from "../../../server/grpc/enrolment-service.ts";
import { serveGrpc } from "../../../server/grpc/server.ts";
import { factsOf, until } from "../../node-agent/machine.ts";
import { type Appliance, MAC, startAppliance, testAuthority } from "./appliance.ts";

let appliance: Appliance;
beforeEach(async () => {
  appliance = await startAppliance();
});
afterEach(() => appliance.close());

const anyone = () => undefined;

/** The status with which a stream ends. */
function streamStatus(identity?: { certificate: string; key: string }): Promise<{ code: number; details: string }> {
  const link = openLink(appliance.address, { judge: anyone, ...(identity && { identity }) });
  const stream = link.report();
  return new Promise((resolve) => {
    stream.on("data", () => {});
    stream.on("error", (error: unknown) => {
      link.close();
      resolve(error as { code: number; details: string });
    });
    stream.write({ report: undefined });
  });
}

const clientOf = (key: KeyObject, id: string, authority = appliance.authority) => ({
  certificate: authority.issueClient(createPublicKey(key), id, Date.now()),
  key: formatPrivateKey(key),
});

const handshake = (port: number, host = "127.0.0.1"): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, ALPNProtocols: ["h2"], rejectUnauthorized: false }, () => resolve(socket));
    socket.once("error", reject);
  });

test("a stream without a certificate is refused", async () =>
  expect(await streamStatus()).toMatchObject({
    code: status.UNAUTHENTICATED,
    details: "a valid client certificate is needed here",
  }));

test("a certificate of another authority counts as none", async () => {
  const { machine } = await appliance.boot();
  const key = generateKey("ed25519");
  expect(await streamStatus(clientOf(key, machine.id, testAuthority()))).toMatchObject({
    code: status.UNAUTHENTICATED,
  });
});

test("the appliance's own server certificate opens no stream", async () => {
  const { chain, key } = appliance.authority.issueServer(["127.0.0.1"], Date.now());
  expect(await streamStatus({ certificate: chain, key })).toMatchObject({
    ...{ code: status.UNAUTHENTICATED, details: "a valid client certificate is needed here" },
  });
});

test("a certificate of this authority for a key that never enrolled is refused", async () => {
  const { machine } = await appliance.boot();
  const key = generateKey("ed25519");
  expect(await streamStatus(clientOf(key, machine.id))).toMatchObject({
    ...{ code: status.UNAUTHENTICATED, details: "this is not the key that the machine enrolled with" },
  });
  expect(await streamStatus(clientOf(key, "no-such-machine"))).toMatchObject({ code: status.UNAUTHENTICATED });
});

test("a CSR that is none is refused by name, and binds nothing", async () => {
  const { token, ticket } = await appliance.boot();
  const link = openLink(appliance.address, { judge: anyone });
  for (const csr of [
    "",
    "nonsense",
    "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
  ]) {
    const answer = await link.enrol({ token, csr, facts: factsOf(MAC), contact: undefined });
    expect(answer).toMatchObject({ kind: "refused", reason: expect.stringContaining("certificate request") });
  }
  link.close();
  expect((await appliance.inventory.findTicket(ticket.id))?.keyFingerprint).toBeUndefined();
});

test("of two keys that race for one ticket one wins", async () => {
  const { token } = await appliance.boot();
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const link = openLink(appliance.address, { judge: anyone });
      const csr = createCsr(generateKey("ed25519"), { commonName: MAC });
      const answer = await link.enrol({ token, csr, facts: factsOf(MAC), contact: undefined });
      link.close();
      return answer.kind;
    }),
  );
  expect(answers.sort()).toEqual(["answer", "refused", "refused", "refused", "refused", "refused"]);
});

test("a message over the limit is refused, and the server lives on", async () => {
  const link = openLink(appliance.address, { judge: anyone });
  const answer = await link.enrol({ token: "x".repeat(600_000), csr: "", facts: undefined, contact: undefined });
  expect(answer).toMatchObject({ kind: "unreachable", reason: expect.stringContaining("larger than max") });
  expect((await link.now()).kind).toBe("answer");
  link.close();
});

test("strangers do not fill the event log", async () => {
  await appliance.inventory.sightMachine({ mac: MAC, at: Date.now() });
  const link = openLink(appliance.address, { judge: anyone });
  const csr = createCsr(generateKey("ed25519"), { commonName: MAC });
  for (let n = 0; n < 60; n++)
    await link.enrol({ token: `guess-number-${n}-padding`, csr, facts: factsOf(MAC), contact: undefined });
  link.close();
  const refused = (await appliance.events()).filter((kind) => kind === "enrol-refused").length;
  expect(refused).toBeGreaterThanOrEqual(20);
  expect(refused).toBeLessThan(40);
});

test("setAddresses listens where it should, and shows a certificate that names all addresses", async () => {
  const { port } = appliance.server;
  const names = async (host: string) => {
    const socket = await handshake(port, host);
    const { subjectAltName } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return subjectAltName;
  };
  expect(await names("127.0.0.1")).toBe("IP Address:127.0.0.1");
  await appliance.server.setAddresses(["127.0.0.1", "127.0.0.2"]);
  expect(await names("127.0.0.2")).toBe("IP Address:127.0.0.1, IP Address:127.0.0.2");
  expect(await names("127.0.0.1")).toBe("IP Address:127.0.0.1, IP Address:127.0.0.2");
  await appliance.server.setAddresses(["127.0.0.2"]);
  await expect(handshake(port, "127.0.0.1")).rejects.toThrow("ECONNREFUSED");
  expect(await names("127.0.0.2")).toBe("IP Address:127.0.0.2");
});

test("the handshake shows the authority, and speaks TLS 1.3", async () => {
  const socket = await handshake(appliance.server.port);
  expect(socket.getProtocol()).toBe("TLSv1.3");
  const ca = socket.getPeerX509Certificate()!.issuerCertificate!;
  expect(ca.raw).toEqual(new X509Certificate(appliance.authority.certificate).raw);
  socket.destroy();
});

test("serveGrpc names the port that another program holds, and the address that nobody has", async () => {
  const { authority, inventory, server } = appliance;
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const options = {
    ...{ authority, inventory, log, record: () => {}, now: Date.now, ownerPublicKey: "", port: server.port },
    ...{ imageUrlFor: () => undefined, armedMs: 1 },
  };
  await expect(serveGrpc({ ...options, addresses: ["127.0.0.1"] })).rejects.toMatchObject({
    ...{ code: "PORT_IN_USE", message: `gRPC cannot listen on 127.0.0.1:${server.port}: another program holds it` },
  });
  await expect(serveGrpc({ ...options, addresses: ["192.0.2.1"] })).rejects.toMatchObject({ code: "NO_INTERFACE" });
});

type RawStream = {
  status: Promise<string>;
  heard: Promise<unknown>;
  write(bytes: Buffer): void;
  end(bytes: Buffer): void;
};

/** A stream on HTTP/2 itself, for what no gRPC client sends. */
function rawStream(port: number, { certificate, key }: { certificate: string; key: string }): RawStream {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { cert: certificate, key, rejectUnauthorized: false });
  const path = "/slipway.v1.Node/Report";
  const call = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  let end = "closed";
  call.on("trailers", (trailers) => {
    end = String(trailers["grpc-status"]);
  });
  call.on("error", () => {});
  const ended = new Promise<string>((resolve) => {
    call.once("close", () => {
      session.destroy();
      resolve(end);
    });
  });
  call.resume();
  const heard = new Promise((resolve) => call.once("data", resolve));
  return { status: ended, heard, write: (bytes) => void call.write(bytes), end: (bytes) => void call.end(bytes) };
}

const frame = (length: number, bytes: Uint8Array): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
};
const LINES = [{ seq: 1n, level: 6, uptimeUs: 1n, text: "x", fromAgent: false }];
const BATCH = NodeReport.encode({ report: { $case: "log", value: { uptimeMs: 1n, lines: LINES, lost: 0n } } }).finish();
const GOOD = frame(BATCH.length, BATCH);

async function enrolledClient() {
  const { token, machine } = await appliance.boot();
  const key = generateKey("ed25519");
  const link = openLink(appliance.address, { judge: anyone });
  const csr = createCsr(key, { commonName: MAC });
  await link.enrol({ token, csr, facts: factsOf(MAC), contact: undefined });
  link.close();
  return clientOf(key, machine.id);
}

test("a stream with bytes that are no report ends by name", async () => {
  const stream = rawStream(appliance.server.port, await enrolledClient());
  stream.end(Buffer.concat([GOOD, frame(3, Buffer.from([0x12, 0xff, 0xff]))]));
  expect(await stream.status).toBe(String(status.INVALID_ARGUMENT));
  await until("no session", () => appliance.server.sessionCount() === 0);
});

test("a stream ends when a report is too long while orders are on their way", async () => {
  const client = await enrolledClient();
  const tooLong = frame(0x7fffffff, Buffer.alloc(10));
  for (let delayMs = 0; delayMs < 3; delayMs += 0.1) {
    const stream = rawStream(appliance.server.port, client);
    await stream.heard;
    stream.write(Buffer.concat(Array<Buffer>(20).fill(GOOD)));
    for (const from = performance.now(); performance.now() - from < delayMs; ) await new Promise(setImmediate);
    stream.end(tooLong);
    expect(await stream.status).not.toBe(String(status.OK));
  }
  await until("no session", () => appliance.server.sessionCount() === 0);
});

const log = { debug() {}, info() {}, warn() {}, error() {} };
const rulesOf = () =>
  new EnrolmentRules({
    ...{ inventory: appliance.inventory, authority: appliance.authority, log, record: anyone, now: Date.now },
    ...{ ownerPublicKey: "", dropSessions: anyone },
  });

test("two tickets of one machine that are spent at once: the later key throws out the earlier, which stays out", async () => {
  const tokens = [(await appliance.boot()).token, (await appliance.boot()).token];
  const rules = rulesOf();
  const requests = tokens.map((token) => ({
    token,
    csr: createCsr(generateKey("ed25519"), { organizations: [], commonName: "machine" }),
    facts: factsOf(MAC),
    contact: undefined,
  }));
  const [first, second] = requests as [EnrolRequest, EnrolRequest];
  await Promise.all([rules.enrol(first), rules.enrol(second)]);
  await expect(rules.enrol(first)).rejects.toMatchObject({ code: "TICKET_REFUSED", message: "its key was revoked" });
  await expect(rules.enrol(second)).resolves.toMatchObject({ machineName: "" });
});

test("facts that change all the time are written a few times only: each is an entry of the audit log", async () => {
  const link = openLink(appliance.address, { judge: anyone, identity: await enrolledClient() });
  const stream = link.report();
  stream.on("error", anyone);
  for (let n = 0; n < 50; n++) {
    stream.write({ report: { $case: "facts", value: factsOf(MAC, { serial: `serial-${n}` }) } });
  }
  stream.write({ report: { $case: "progress", value: { step: "all sent", text: "", failed: false } } });
  await until("all were read", async () => (await appliance.events()).includes("agent-progress"));
  link.close();
  const changed = (await appliance.inventory.listAudit({})).filter((entry) => entry.detail.includes("serial-"));
  expect(changed.length).toBeLessThanOrEqual(10);
});
