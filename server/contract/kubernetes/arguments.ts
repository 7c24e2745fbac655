// Command lines: our arguments, a config's extraArgs over them, sorted, so that the same config gives the same line.
// Source: talos reference §4.4 ("extraArgs merge with deny-list"); what is denied is refused by the decoder already. Pure.
import type { ExtraArgs } from "../machine-config/node-config.ts";

export type Arguments = Readonly<Record<string, string>>;

/** Arguments that hold a list: a config's values are added to ours, not put in their place. */
const ADDITIVE: ReadonlySet<string> = new Set([
  ...["enable-admission-plugins", "feature-gates", "authorization-mode", "tls-cipher-suites", "controllers"],
]);

/** `--name=value`, sorted by name. A name with several values comes as often. */
export function renderArguments(ours: Arguments, extra: ExtraArgs): string[] {
  const names = [...new Set([...Object.keys(ours), ...Object.keys(extra)])].sort();
  return names.flatMap((name) => {
    const own = ours[name];
    const given = extra[name];
    if (given === undefined) return [`--${name}=${own}`];
    if (own !== undefined && ADDITIVE.has(name)) return [`--${name}=${[own, ...given].join(",")}`];
    return given.map((value) => `--${name}=${value}`);
  });
}
