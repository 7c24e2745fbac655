// GRUB's environment block, which holds the choice between the two slots on BIOS: 1024 bytes that GRUB rewrites in place.
// Called by plan-install.ts and by what updates and blesses; grub-config.ts reads the same names. Pure.
// Source: GNU GRUB manual, "Environment block"; checked against grub-editenv.
//
//   "# GRUB Environment Block\n" name=value\n … then '#' up to 1024 bytes; a backslash stands before newline and backslash
import { SlipwayError } from "../../server/contract/errors.ts";
import { SLOTS, type Slot } from "./layout.ts";
import { TRIES } from "./loader-entries.ts";

export const GRUB_ENV_BYTES = 1024;
const HEADER = "# GRUB Environment Block\n";

/** Names as grub.cfg uses them. They fit the first 512 bytes, so that one sector holds the whole choice. */
export const GRUB_VARIABLES = { good: "slipway_good", next: "slipway_next", left: "slipway_left" } as const;

export type GrubEnv = ReadonlyMap<string, string>;
export type GrubEnvReading = { kind: "env"; env: Map<string, string> } | { kind: "damaged"; reason: string };

/** @throws SlipwayError DOES_NOT_FIT over 1024 bytes, INTERNAL for a name that GRUB would not read back. */
export function encodeGrubEnv(env: GrubEnv): Buffer {
  let text = HEADER;
  for (const [name, value] of env) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new SlipwayError("INTERNAL", `"${name}" is no name for GRUB`);
    text += `${name}=${value.replace(/[\\\n]/g, "\\$&")}\n`;
  }
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > GRUB_ENV_BYTES) {
    throw new SlipwayError("DOES_NOT_FIT", `GRUB environment of ${bytes.length} bytes; ${GRUB_ENV_BYTES} fit`, {
      remedy: "Remove variables that others put into /grub/grubenv.",
    });
  }
  return Buffer.concat([bytes, Buffer.alloc(GRUB_ENV_BYTES - bytes.length, "#")]);
}

/** GRUB itself refuses a block of another size or without the header, and goes on without variables. */
export function decodeGrubEnv(bytes: Uint8Array): GrubEnvReading {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (block.length !== GRUB_ENV_BYTES) {
    return { kind: "damaged", reason: `${block.length} bytes; ${GRUB_ENV_BYTES} are expected` };
  }
  if (block.toString("latin1", 0, HEADER.length) !== HEADER) {
    return { kind: "damaged", reason: "no header at byte 0" };
  }
  const env = new Map<string, string>();
  // A newline with a backslash before it is part of a value.
  for (const [line] of block.toString("utf8").matchAll(/(?:\\[\s\S]|[^\\\n])+/g)) {
    const equals = line.indexOf("=");
    if (line.startsWith("#") || equals < 1) continue;
    env.set(line.slice(0, equals), line.slice(equals + 1).replace(/\\([\s\S])/g, "$1"));
  }
  return { kind: "env", env };
}

/** The choice that the block holds. A slot that is named by neither is taken last. */
export type GrubChoice = { good?: Slot; next?: Slot; left: number };

/** Values that nobody of ours writes count as absent: GRUB then starts the slot that is whole. */
export function readChoice(env: GrubEnv): GrubChoice {
  const slot = (name: string) => SLOTS.find((s) => s === env.get(name));
  const good = slot(GRUB_VARIABLES.good);
  const next = slot(GRUB_VARIABLES.next);
  const left = Number(env.get(GRUB_VARIABLES.left) ?? 0);
  return {
    ...(good === undefined ? {} : { good }),
    ...(next === undefined ? {} : { next }),
    left: Number.isInteger(left) && left >= 0 && left <= TRIES ? left : 0,
  };
}

/** `next`: the slot is tried up to three times, then GRUB goes back to the good one. Other variables are kept. */
export function withNext(env: GrubEnv, slot: Slot): Map<string, string> {
  return new Map([...ours(env), [GRUB_VARIABLES.next, slot], [GRUB_VARIABLES.left, String(TRIES)], ...others(env)]);
}

/** `bless`: the slot is the good one from now on, and nothing is on trial. */
export function withBlessed(env: GrubEnv, slot: Slot): Map<string, string> {
  return new Map([[GRUB_VARIABLES.good, slot], [GRUB_VARIABLES.next, ""], [GRUB_VARIABLES.left, "0"], ...others(env)]);
}

const OURS: readonly string[] = Object.values(GRUB_VARIABLES);
/** Ours come first, so that they stay in the first sector whatever else is there. */
const ours = (env: GrubEnv) => [...env].filter(([name]) => OURS.includes(name));
const others = (env: GrubEnv) => [...env].filter(([name]) => !OURS.includes(name));
