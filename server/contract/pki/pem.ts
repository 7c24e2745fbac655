// PEM: base64 between two lines (RFC 7468). Pure.
import { malformed } from "./der.ts";

export type PemLabel = "CERTIFICATE" | "CERTIFICATE REQUEST" | "PUBLIC KEY" | "PRIVATE KEY";

/** DER → PEM with lines of 64 characters and a last newline. */
export function formatPem(label: PemLabel, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** All blocks with this label, in their order. @throws BAD_REQUEST when there is none, or one is no base64. */
export function parsePem(label: PemLabel, text: string): Uint8Array[] {
  const block = new RegExp(`-----BEGIN ${label}-----\\s*([A-Za-z0-9+/=\\s]+?)\\s*-----END ${label}-----`, "g");
  const blocks = [...text.matchAll(block)].map((m) => Buffer.from(m[1]!.replace(/\s/g, ""), "base64"));
  if (blocks.length === 0) throw malformed(label.toLowerCase(), `no "-----BEGIN ${label}-----" block found`);
  return blocks;
}
