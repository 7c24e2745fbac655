// TFTP option negotiation: what was asked → what is granted, and the OACK that says so. Pure; called by server.ts.
// Only requested options are answered: EDK2 and PXELINUX abort on any other (pxe.md 4.1). A value that cannot be granted
// is left out, which RFC 2347 makes the polite "no".
import type { OptionPair } from "./packet.ts";

/** Upper bounds of what is granted. */
export type Limits = { maxBlockBytes: number; maxWindowBlocks: number };

/** 1468 = 1500 − 20 (IP) − 8 (UDP) − 4: never fragment toward firmware. 16 blocks are where windows stop gaining. */
export const DEFAULT_LIMITS: Limits = { maxBlockBytes: 1468, maxWindowBlocks: 16 };

/** Largest block of a link that is granted: IP, UDP and TFTP headers take 32 bytes. */
export const maxBlockBytesFor = (mtu: number): number => Math.max(8, Math.min(DEFAULT_LIMITS.maxBlockBytes, mtu - 32));

export type Negotiated = {
  /** 512 unless negotiated (RFC 1350). */
  blockBytes: number;
  /** 1, lock-step, unless negotiated. */
  windowBlocks: number;
  /** The client's wish for our timer; undefined leaves it to the measured round trip. */
  timeoutMs?: number;
  /** The OACK's pairs, in the order of the request; empty means that no OACK is sent. */
  granted: OptionPair[];
};

type Grant = { text: string; over: Partial<Negotiated> };
type Rule = { source: string; grant: (value: number, sizeBytes: number, limits: Limits) => Grant | undefined };

/** One row per option. `grant` answers undefined for a value that is out of range. */
const OPTIONS: Record<string, Rule> = {
  blksize: {
    source: "RFC 2348: 8 to 65464, the answer may be smaller",
    grant: (value, _size, { maxBlockBytes }) => {
      if (value < 8) return undefined;
      const blockBytes = Math.min(value, maxBlockBytes, 65464);
      return { text: String(blockBytes), over: { blockBytes } };
    },
  },
  windowsize: {
    source: "RFC 7440: 1 to 65535, the answer may be smaller",
    grant: (value, _size, { maxWindowBlocks }) => {
      if (value < 1 || value > 65535) return undefined;
      const windowBlocks = Math.min(value, maxWindowBlocks);
      return { text: String(windowBlocks), over: { windowBlocks } };
    },
  },
  timeout: {
    source: "RFC 2349: 1 to 255 seconds, unchanged or not at all",
    grant: (value) =>
      value < 1 || value > 255 ? undefined : { text: String(value), over: { timeoutMs: value * 1000 } },
  },
  tsize: {
    source: "RFC 2349: the request says 0, the answer the size",
    grant: (_value, sizeBytes) => ({ text: String(sizeBytes), over: {} }),
  },
};

/**
 * Grants what was asked, as far as the limits allow.
 *
 * @param requested pairs as sent; names in any case, the first of a repeated option counts.
 * @see RFC 2347, 2348, 2349, 7440
 */
export function negotiateOptions(requested: readonly OptionPair[], sizeBytes: number, limits: Limits): Negotiated {
  let result: Negotiated = { blockBytes: 512, windowBlocks: 1, granted: [] };
  const seen = new Set<string>();
  for (const [name, text] of requested) {
    const key = name.toLowerCase();
    const rule = Object.hasOwn(OPTIONS, key) ? OPTIONS[key] : undefined;
    if (rule === undefined || seen.has(key)) continue;
    seen.add(key);
    const grant = /^\d{1,10}$/.test(text) ? rule.grant(Number(text), sizeBytes, limits) : undefined;
    // The name goes back as it came: a client may compare it letter by letter.
    if (grant !== undefined) result = { ...result, ...grant.over, granted: [...result.granted, [name, grant.text]] };
  }
  return result;
}
