// TLS to the appliance, trusted by the CA fingerprint in the ticket and by nothing else. Edge: opens the socket that grpc-js
// then speaks over. OpenSSL's own verification is off, because it judges by this machine's clock, which may say 1970; the
// chain that the appliance shows is judged here, on the same connection, before the first byte of ours is sent.
import type { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type TLSSocket, connect as tlsConnect } from "node:tls";
import { type CallCredentials, ChannelCredentials, credentials, type experimental } from "@grpc/grpc-js";
import { SlipwayError } from "../server/contract/errors.ts";

type Connector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/** Judges a chain, leaf first. Returns what is wrong with it, or undefined. */
export type JudgeChain = (chain: readonly X509Certificate[]) => string | undefined;

export type PinnedOptions = {
  judge: JudgeChain;
  /** The machine's certificate and key, PEM; left out before it is enrolled. */
  identity?: { certificate: string; key: string };
};

/** Longest chain that is looked at: leaf, one CA between, root. */
const LONGEST_CHAIN = 4;

/** Channel credentials whose only root of trust is what {@link JudgeChain} accepts. */
export class PinnedCredentials extends ChannelCredentials {
  readonly #judge: JudgeChain;
  readonly #context: SecureContext;
  #refusal: string | undefined;
  #chain: readonly X509Certificate[] = [];

  constructor({ judge, identity }: PinnedOptions) {
    super();
    this.#judge = judge;
    this.#context = createSecureContext({
      minVersion: "TLSv1.3",
      ...(identity !== undefined && { cert: identity.certificate, key: identity.key }),
    });
  }

  /** Why the last connection was not trusted; undefined when it was. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The chain of the connection that is open now. */
  get chain(): readonly X509Certificate[] {
    return this.#chain;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: experimental.GrpcUri,
    _options: object,
    callCredentials?: CallCredentials,
  ): Connector {
    return {
      connect: async (socket) => ({ socket: await this.#secure(socket), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? credentials.createEmpty(),
      destroy: () => {},
    };
  }

  #secure(socket: Parameters<Connector["connect"]>[0]): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const tls = tlsConnect({
        socket,
        secureContext: this.#context,
        ALPNProtocols: ["h2"],
        rejectUnauthorized: false,
      });
      tls.once("error", reject);
      tls.once("close", () => reject(new Error("the appliance closed the connection during the handshake")));
      tls.once("secureConnect", () => {
        this.#chain = chainOf(tls);
        this.#refusal = this.#judge(this.#chain);
        if (this.#refusal === undefined) return resolve(tls);
        tls.destroy();
        reject(new SlipwayError("NOT_ENROLLED", this.#refusal));
      });
    });
  }
}

/** The chain as the appliance sent it, leaf first. */
function chainOf(tls: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = tls.getPeerX509Certificate();
  while (next !== undefined && chain.length < LONGEST_CHAIN) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}
