// TLS of the gRPC port: one port where a client certificate is asked for and not required (Enrolment has none yet), with a
// server certificate that can change while connections live. Edge: belongs to the listening socket.
import { ServerCredentials } from "@grpc/grpc-js";
import type { ServerCertificate } from "./authority.ts";

/** Credentials that ask for a client certificate, let anyone in, and leave it to each call to look. */
export class NodeCredentials extends ServerCredentials {
  readonly #ca: string;

  constructor(ca: string, certificate: ServerCertificate) {
    super(
      // A certificate that does not verify is treated as none: grpc-js shows only verified ones (getAuthContext), and the
      // handshake must not fail for it, because a machine whose certificate ran out comes back this way to renew it.
      { requestCert: true, rejectUnauthorized: false, minVersion: "TLSv1.3" },
      contextOf(ca, certificate),
    );
    this.#ca = ca;
  }

  /** Connections made from now on see this certificate. */
  replace(certificate: ServerCertificate): void {
    this.updateSecureContextOptions(contextOf(this.#ca, certificate));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

const contextOf = (ca: string, { chain, key }: ServerCertificate) => ({
  ca,
  cert: chain,
  key,
  minVersion: "TLSv1.3" as const,
});
