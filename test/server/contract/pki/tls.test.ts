// The issued certificates in live handshakes: node:tls and grpc-js, mutual, both kinds of key; and the agent's first
// contact, which sees the chain before it trusts anything.
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { formatPrivateKey, type KeyKind } from "../../../../server/contract/pki/key.ts";
import { verifyPinnedChain } from "../../../../server/contract/pki/verify-chain.ts";
import { type Leaf, makeAuthority, makeClient, makeServer } from "./authority.ts";

const pair = (leaf: Leaf, ca = "") => ({ cert: leaf.certificate.pem + ca, key: formatPrivateKey(leaf.key) });

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

/** The certificates that a peer presented, its own first. */
function presented(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  for (let c = socket.getPeerX509Certificate(); c !== undefined && chain.length < 8; c = c.issuerCertificate) {
    chain.push(c.raw);
  }
  return chain;
}

for (const kind of ["ed25519", "p256"] as const satisfies readonly KeyKind[]) {
  test(`node:tls shakes hands mutually with ${kind} certificates`, async () => {
    const ca = makeAuthority(kind);
    const [server, client] = [makeServer(ca, kind), makeClient(ca, kind)];
    const pem = ca.certificate.pem;
    const seen: string[] = [];
    const listener = createServer({ ...pair(server, pem), ca: pem, requestCert: true }, (socket) => {
      seen.push(String(socket.getPeerX509Certificate()?.subject));
      socket.end("hello");
    });
    const port = await listen(listener);
    const socket = connect({ port, host: "127.0.0.1", ca: pem, ...pair(client) });
    const heard = await new Promise<string>((done, fail) =>
      socket.on("data", (d) => done(String(d))).on("error", fail),
    );
    expect(heard).toBe("hello");
    expect(seen).toEqual(["O=slipway:machine\nCN=machine-1"]);
    listener.close();
  });

  test(`an agent that trusts nobody yet sees the whole ${kind} chain and can check its pin`, async () => {
    const ca = makeAuthority(kind);
    const listener = createServer({ ...pair(makeServer(ca, kind), ca.certificate.pem) }, (socket) => socket.end());
    const port = await listen(listener);
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await new Promise((done, fail) => socket.on("secureConnect", done).on("error", fail));
    expect(verifyPinnedChain(presented(socket), ca.certificate.fingerprint).kind).toBe("trusted");
    socket.destroy();
    listener.close();
  });

  test(`grpc-js calls mutually with ${kind} certificates, and refuses a stranger's`, async () => {
    const ca = makeAuthority(kind);
    const stranger = makeAuthority(kind);
    const root = Buffer.from(ca.certificate.pem);
    const chainOf = (leaf: Leaf) => ({
      private_key: Buffer.from(pair(leaf).key),
      cert_chain: Buffer.from(pair(leaf).cert),
    });
    const path = "/test.Echo/Say";
    const asIs = {
      requestSerialize: (b: Buffer) => b,
      requestDeserialize: (b: Buffer) => b,
      responseSerialize: (b: Buffer) => b,
      responseDeserialize: (b: Buffer) => b,
    };
    const say = { path, requestStream: false as const, responseStream: false as const, ...asIs };
    const server = new grpc.Server();
    server.addService(
      { say },
      {
        say: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, call.request),
      },
    );
    const credentials = grpc.ServerCredentials.createSsl(root, [chainOf(makeServer(ca, kind))], true);
    const port = await new Promise<number>((done, fail) =>
      server.bindAsync("127.0.0.1:0", credentials, (cause, p) => (cause ? fail(cause) : done(p))),
    );
    const call = async (leaf: Leaf) => {
      const { private_key, cert_chain } = chainOf(leaf);
      const client = new grpc.Client(`localhost:${port}`, grpc.credentials.createSsl(root, private_key, cert_chain));
      try {
        return await new Promise<string>((done, fail) =>
          client.makeUnaryRequest(
            path,
            asIs.requestSerialize,
            asIs.responseDeserialize,
            Buffer.from("hi"),
            { deadline: Date.now() + 5000 },
            (cause, answer) => (cause ? fail(cause) : done(String(answer))),
          ),
        );
      } finally {
        client.close();
      }
    };
    expect(await call(makeClient(ca, kind))).toBe("hi");
    await expect(call(makeClient(stranger, kind))).rejects.toThrow(/UNAVAILABLE|DEADLINE/);
    server.forceShutdown();
  });
}
