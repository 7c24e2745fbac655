// Size conditions of a disk selector: `4GB`, `>= 100GB`, `<2TiB`. The table of fields and disk-selector.ts use them.
// Source: Talos's diskSelector.size, whose numbers are humanize's: kB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024. Pure.
import type { Scalar } from "./shape.ts";

export const COMPARE = {
  "==": (a: bigint, b: bigint) => a === b,
  ">=": (a: bigint, b: bigint) => a >= b,
  "<=": (a: bigint, b: bigint) => a <= b,
  ">": (a: bigint, b: bigint) => a > b,
  "<": (a: bigint, b: bigint) => a < b,
} as const;
export type SizeCondition = { operator: keyof typeof COMPARE; bytes: bigint; text: string };

const PREFIXES = ["", "k", "m", "g", "t", "p", "e"];

/** undefined when the text is no condition. Case does not count: `100gb` and `100GB` are the same. */
export function parseSize(text: string): SizeCondition | undefined {
  const [, operator = "==", number, prefix, binary] =
    /^\s*(>=|<=|==|>|<)?\s*(\d{1,15}(?:\.\d{1,6})?)\s*([kmgtpe]?)(i?)b?\s*$/i.exec(text) ?? [];
  if (number === undefined || (binary !== "" && prefix === "")) return undefined;
  const power = PREFIXES.indexOf(prefix!.toLowerCase());
  const unit = BigInt(binary === "" ? 1000 : 1024) ** BigInt(power);
  const [whole, fraction = ""] = number.split(".");
  const scale = 10n ** BigInt(fraction.length);
  const bytes = (BigInt(whole! + fraction) * unit) / scale;
  return { operator: operator as SizeCondition["operator"], bytes, text: text.trim() };
}

const WORDS = 'a size such as 100GB or 1TiB, with ==, >=, <=, > or < in front where wanted (">= 100GB")';
export const sizeExpression: Scalar<SizeCondition> = {
  kind: "scalar",
  words: WORDS,
  isSecret: false,
  parse: (raw) => {
    const size = parseSize(typeof raw.value === "string" ? raw.value : raw.source);
    return size === undefined ? { kind: "fault", expected: WORDS } : { kind: "value", value: size };
  },
};
