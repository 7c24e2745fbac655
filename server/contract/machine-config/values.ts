// The scalars of a machine config: text → value, and what was expected. The table of fields is written with these.
// Sources: Talos's v1alpha1 reference (types and units), Kubernetes' rules for names and labels, RFC 1123. Pure.
import { ipv4Number, ipv4Prefix } from "./address.ts";
import type { Parsed, Raw, Scalar } from "./shape.ts";

const value = <T>(v: T): Parsed<T> => ({ kind: "value", value: v });
const scalar = <T>(words: string, read: (raw: Raw) => T | undefined, isSecret = false): Scalar<T> => ({
  kind: "scalar",
  words,
  isSecret,
  parse: (raw) => {
    const found = read(raw);
    return found === undefined ? { kind: "fault", expected: words } : value(found);
  },
});

/** A scalar of any YAML type as the text that was typed, as Talos reads it. */
const textOf = (raw: Raw): string => (typeof raw.value === "string" ? raw.value : raw.source);
/** A text that passes `isGood`. */
export const textWhere = (words: string, isGood: (text: string) => boolean): Scalar<string> =>
  scalar(words, (raw) => (isGood(textOf(raw)) ? textOf(raw) : undefined));
/** The same, never shown in a fault. */
export const secretWhere = (words: string, isGood: (text: string) => boolean): Scalar<string> =>
  scalar(words, (raw) => (isGood(textOf(raw)) ? textOf(raw) : undefined), true);

export const text = textWhere("a text", (t) => t.length > 0 && !t.includes("\0"));
/** Text that may be empty: a sysctl, a label. */
export const anyText = textWhere("a text", (t) => !t.includes("\0"));
export const secretText = secretWhere("a secret text", (t) => t.length > 0);
/** YAML 1.2: `yes` and `on` are texts. */
export const flag = scalar("true or false", ({ value: v }) => (typeof v === "boolean" ? v : undefined));
/** A flag with only one answer. @param why completes "must be false: …". */
export const onlyFlag = (answer: boolean, why: string): Scalar<boolean> =>
  scalar(`${answer}: ${why}`, ({ value: v }) => (v === answer ? answer : undefined));
export const whole = (least: number, most: number): Scalar<number> =>
  scalar(`a whole number from ${least} to ${most}`, ({ value: v }) =>
    typeof v === "number" && Number.isInteger(v) && v >= least && v <= most ? v : undefined,
  );
export const oneOf = <const W extends readonly string[]>(...words: W): Scalar<W[number]> =>
  scalar(words.length === 1 ? `${words[0]}` : `one of ${words.join(", ")}`, (raw) =>
    words.find((w) => w === raw.value),
  ) as Scalar<W[number]>;

export const ipv4 = textWhere("an IPv4 address such as 192.0.2.10", (t) => ipv4Number(t) !== undefined);
/** An address that one machine can have. */
export const hostIpv4 = textWhere("an IPv4 address that a machine can have, such as 192.0.2.10", isHostIpv4);
export function isHostIpv4(text: string): boolean {
  const top = Math.floor((ipv4Number(text) ?? 0) / 2 ** 24);
  return top !== 0 && top !== 127 && top < 224;
}
export const addressWithPrefix = textWhere("an IPv4 address with its prefix length such as 192.0.2.10/24", (t) => {
  const prefix = ipv4Prefix(t);
  return prefix !== undefined && prefix.bits > 0 && isHostIpv4(t.slice(0, t.indexOf("/")));
});
/** Host bits zero: `10.244.0.7/16` is more often a slip than a wish. */
export const subnet = textWhere("an IPv4 network with zero host bits such as 10.244.0.0/16", (t) => {
  const prefix = ipv4Prefix(t);
  return prefix !== undefined && prefix.first === prefix.host;
});
/** `10.0.0.0/8` or `!10.0.0.0/8`: which of a node's addresses count. */
export const subnetFilter = textWhere("an IPv4 network such as 10.0.0.0/8, or !10.0.0.0/8 to leave it out", (t) => {
  const prefix = ipv4Prefix(t.replace(/^!/, ""));
  return prefix !== undefined && prefix.first === prefix.host;
});

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
export const isDomain = (t: string): boolean => t.length <= 253 && t.split(".").every((label) => LABEL.test(label));
/** One DNS label or a full name; lower case, because it becomes the node's name (RFC 1123, Kubernetes). */
export const hostname = textWhere(
  "a host name of lower-case letters, digits and hyphens such as node-1",
  (t) => t.length <= 63 && isDomain(t),
);
export const domain = textWhere("a domain such as cluster.local", isDomain);
export const isDomainOrIp = (t: string): boolean => isDomain(t) || isHostIpv4(t);
export const domainOrIp = textWhere("a host name or an IPv4 address", isDomainOrIp);
/** A certificate's name, with a star in front where wanted. */
export const certificateName = textWhere("a host name or an IPv4 address", (t) => isDomainOrIp(t.replace(/^\*\./, "")));
/** systemd and the kernel agree on 15 characters (IFNAMSIZ − 1). */
export const interfaceName = textWhere("a network interface's name such as eth0", (t) => /^[^\s/:]{1,15}$/.test(t));
export const macPattern = textWhere("a MAC such as 52:54:00:12:34:56; * stands for any characters", (t) =>
  /^[0-9a-f:*]{1,17}$/i.test(t),
);

/** `https://192.0.2.5:6443` → its parts. Path, query and user are refused. */
export type Endpoint = { url: string; host: string; port: number };
export const endpoint = scalar("a URL such as https://192.0.2.5:6443", (raw): Endpoint | undefined => {
  const [, host, port] = /^https:\/\/([^/:?#@]+)(?::(\d{1,5}))?\/?$/.exec(textOf(raw)) ?? [];
  const number = port === undefined ? 443 : Number(port);
  if (host === undefined || !isDomainOrIp(host) || number < 1 || number > 65_535) return undefined;
  return { url: `https://${host}:${number}`, host, port: number };
});
export const httpUrl = textWhere("an http:// or https:// URL", (t) => /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/.test(t));

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Go's duration, `8760h0m0s` → milliseconds. */
export const durationMs = scalar("a duration such as 30s, 5m or 8760h", (raw): number | undefined => {
  const t = textOf(raw);
  const parts = [...t.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((p) => p[0]).join("") !== t) return undefined;
  const ms = Math.round(parts.reduce((sum, [, n, unit]) => sum + Number(n) * UNIT_MS[unit!]!, 0));
  return Number.isSafeInteger(ms) ? ms : undefined;
});

/** Six and sixteen of `[a-z0-9]`, with a dot between: Talos's and kubeadm's join tokens. */
export const token = secretWhere("a token: 6 and 16 of a-z and 0-9, a dot between", (t) =>
  /^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(t),
);
/** Base64 of exactly so many bytes, either alphabet; the text is kept. */
export const base64Of = (bytes: number, isSecret = true): Scalar<string> =>
  (isSecret ? secretWhere : textWhere)(`base64 of ${bytes} bytes`, (t) => {
    if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(t)) return false;
    return Buffer.from(t, "base64").length === bytes && t.length === 4 * Math.ceil(bytes / 3);
  });

/** A Kubernetes quantity: `512Mi`, `200m`. */
export const quantity = textWhere("a quantity such as 200m or 512Mi", (t) =>
  /^\d+(\.\d+)?(m|k|K|M|G|T|Ki|Mi|Gi|Ti)?$/.test(t),
);

const QUALIFIED = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
/** Kubernetes' qualified name: `example.org/zone`, `rack`. */
export function qualifiedNameFault(key: string): string | undefined {
  const [prefix, name, ...rest] = key.includes("/") ? key.split("/") : [undefined, key];
  const isGood = rest.length === 0 && QUALIFIED.test(name ?? "") && (prefix === undefined || isDomain(prefix));
  return isGood
    ? undefined
    : "a Kubernetes name such as rack or example.org/rack, at most 63 characters behind the slash";
}
export const labelValue = textWhere("a label's value: at most 63 letters, digits, - _ .", isLabelValue);
export function isLabelValue(t: string): boolean {
  return t === "" || QUALIFIED.test(t);
}

export const TAINT_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"] as const;
export type TaintEffect = (typeof TAINT_EFFECTS)[number];
/** `value:Effect` or `Effect`; the value may be empty. */
export const taint = scalar(
  `value:Effect or Effect, with one of ${TAINT_EFFECTS.join(", ")}`,
  (raw): { value: string; effect: TaintEffect } | undefined => {
    const parts = textOf(raw).split(":");
    const effect = TAINT_EFFECTS.find((e) => e === parts.at(-1));
    const [first = ""] = parts.slice(0, -1);
    return effect !== undefined && parts.length <= 2 && isLabelValue(first) ? { value: first, effect } : undefined;
  },
);
