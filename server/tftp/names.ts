// What a client asked for → the name that is looked up. The answer is a key into what main serves, never a path that is
// opened, so nothing outside can be reached; the jail here still refuses every ".." by name. Pure; called by server.ts.
import { TFTP_ERROR } from "./packet.ts";

export type NameDecision =
  | { kind: "name"; name: string }
  /** `code` is the TFTP error; 1 and 2 are the codes on which U-Boot stops instead of starting again. */
  | { kind: "refused"; code: number; reason: string };

const MAX_NAME_BYTES = 512;

/**
 * Normalises a file name.
 *
 * @param raw Latin-1 text of the request.
 * @returns the name without leading slash, with single forward slashes. shim and Windows loaders write backslashes
 *   (rhboot/shim #300), BIOS ROMs read `file` past its end and send 0xff, some clients keep `tftp://ip/`.
 */
export function normaliseName(raw: string): NameDecision {
  const text = raw.replace(/\xff+$/, "");
  if (text.length > MAX_NAME_BYTES) {
    return refused(TFTP_ERROR.access, `the name has ${text.length} bytes, at most ${MAX_NAME_BYTES} are taken`);
  }
  if (/[\x00-\x1f\x7f]/.test(text)) return refused(TFTP_ERROR.access, "the name holds a control character");
  const path = text.replaceAll("\\", "/").replace(/^tftp:\/\/[^/]*\//i, "");
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) return refused(TFTP_ERROR.access, 'the name holds ".."');
  if (parts.length === 0) return refused(TFTP_ERROR.missing, "the name is empty");
  return { kind: "name", name: parts.join("/") };
}

/** A name as it may stand in a log line or an event: printable and short. */
export const printableName = (raw: string): string =>
  raw.replace(/[^\x20-\x7e]/g, "?").slice(0, 100) + (raw.length > 100 ? "…" : "");

const refused = (code: number, reason: string): NameDecision => ({ kind: "refused", code, reason });
