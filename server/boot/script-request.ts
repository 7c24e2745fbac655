// What a machine says of itself in its script request → what may be kept and shown. It is a claim by whoever sent it: words
// are of known form or "unknown", text is printable and short. Called by service.ts. Pure.
import type { Mac } from "../../inventory/address.ts";
import type { ScriptRequest } from "./script-for.ts";

/** Query values by name, as they came. */
export type ScriptQuery = Readonly<Record<string, string | undefined>>;

const LONGEST_SERIAL = 64;
/** iPXE's own words: `x86_64`, `arm64`, `efi`, `pcbios`, `undionly` … */
const WORD = /^[A-Za-z0-9_.-]{1,32}$/;

const wordOf = (text: string): string => (WORD.test(text) ? text : "unknown");

/** The request of the machine that has `mac`; what an older script does not say is what most machines are. */
export const requestOf = (mac: Mac, query: ScriptQuery): ScriptRequest => ({
  mac,
  arch: wordOf(query.arch ?? "x86_64"),
  platform: wordOf(query.platform ?? "pcbios"),
  ...(query.chip !== undefined && { chip: wordOf(query.chip) }),
});

/** UUID and serial number as the board has them; whether a UUID can serve is the inventory's question. */
export function identityOf({ uuid, serial }: ScriptQuery): { uuid?: string; serial?: string } {
  const clean = (serial ?? "")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ")
    .trim()
    .slice(0, LONGEST_SERIAL);
  return { ...(uuid && { uuid: uuid.toLowerCase() }), ...(clean !== "" && { serial: clean }) };
}
