// What a person may write into a machine's fields: each field has one checker, which answers with the value or with what is
// wrong. `set` (plan-set.ts) and `import` (plan-import.ts) use the same table. Pure.
import { ipv4ToNumber, isInNetwork, type Network, parseIpv4, parseMac } from "../../inventory/address.ts";
import type { Lease } from "../../inventory/lease.ts";
import { BOOT_CHOICES, type BootChoice, type Machine, type Role } from "../../inventory/machine.ts";
import type { ErrorCode } from "../contract/errors.ts";
import { callName } from "./find-machine.ts";

/** What is known beside the request. */
export type Facts = {
  machines: readonly Machine[];
  clusters: readonly string[];
  /** The built-in ones included. */
  roles: readonly string[];
  leases: readonly Lease[];
  /** Networks that this appliance serves; empty when it serves none now. */
  networks: readonly Network[];
  ownAddresses: readonly string[];
  /** Clusters' endpoints, with the name of the cluster: no machine may have one as its own. */
  endpoints?: ReadonlyMap<string, string>;
  nowSeconds: number;
};
/** A fault with its place and the code it would have alone. */
export type FieldFault = { code: ErrorCode; at: string; message: string };
export type Judged<T> = { kind: "value"; value: T } | { kind: "fault"; code: ErrorCode; message: string };

const value = <T>(v: T): Judged<T> => ({ kind: "value", value: v });
const bad = <T>(message: string, code: ErrorCode = "BAD_REQUEST"): Judged<T> => ({ kind: "fault", code, message });

export function judgeRole(text: string, { roles }: Pick<Facts, "roles">): Judged<Role> {
  return roles.includes(text)
    ? value(text)
    : bad(`must be one of the known roles (${roles.join(", ")}), found "${text}"`, "UNKNOWN_ROLE");
}

export function judgeCluster(text: string, { clusters }: Pick<Facts, "clusters">): Judged<string> {
  if (clusters.includes(text)) return value(text);
  const known = clusters.length === 0 ? "there is none yet: slipway cluster create NAME" : clusters.join(", ");
  return bad(`must be a cluster that exists (${known}), found "${text}"`);
}

export function judgeBoot(text: string): Judged<BootChoice> {
  const boot = BOOT_CHOICES.find((b) => b === text);
  return boot ? value(boot) : bad(`must be one of ${BOOT_CHOICES.join(", ")}, found "${text}"`);
}

/** RFC 1123 label. A name that reads as a MAC would shadow a machine. */
export function judgeName(text: string, machine: Machine | undefined, facts: Facts): Judged<string> {
  const name = text.toLowerCase();
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    return bad(`must be a host name of letters, digits and hyphens, at most 63, without dots, found "${text}"`);
  if (parseMac(name)) return bad(`must not look like a MAC, found "${text}"`);
  const other = facts.machines.find((m) => m.name === name && m.id !== machine?.id);
  return other ? bad(`"${name}" is the name of ${other.macs[0]} already`, "CONFLICT") : value(name);
}

/** @param macs of the machine that is to have the address: a lease of its own is no obstacle. */
export function judgeAddress(
  text: string,
  macs: readonly string[],
  machine: Machine | undefined,
  facts: Facts,
): Judged<string> {
  const ip = parseIpv4(text);
  if (ip === undefined) return bad(`must be an IPv4 address such as 192.0.2.50, found "${text}"`);
  const network = facts.networks.find((n) => isInNetwork(ip, n));
  if (facts.networks.length > 0 && network === undefined) {
    const known = facts.networks.map((n) => n.cidr).join(", ");
    return bad(`must lie in a network that this appliance serves (${known}), found ${ip}`);
  }
  const n = ipv4ToNumber(ip);
  if (network && network.prefix < 31 && (n === network.first || n === network.last))
    return bad(
      `must not be the ${n === network.first ? "network" : "broadcast"} address of ${network.cidr}, found ${ip}`,
    );
  if (facts.ownAddresses.includes(ip)) return bad(`${ip} is this appliance's own address`, "CONFLICT");
  const cluster = facts.endpoints?.get(ip);
  if (cluster !== undefined)
    return bad(`${ip} is the endpoint of cluster ${cluster}, which is no node's own`, "CONFLICT");
  const other = facts.machines.find((m) => m.address === ip && m.id !== machine?.id);
  if (other) return bad(`${ip} is reserved for ${callName(other)} already`, "CONFLICT");
  const lease = facts.leases.find((l) => l.address === ip && l.state === "bound" && l.expiresAt > facts.nowSeconds);
  return lease && !macs.includes(lease.mac)
    ? bad(
        `${ip} is leased to ${lease.mac} for another ${Math.ceil((lease.expiresAt - facts.nowSeconds) / 60)} min`,
        "CONFLICT",
      )
    : value(ip);
}

/** A value, or the fault put on the list. */
export function take<T>(judged: Judged<T>, at: string, faults: FieldFault[]): T | undefined {
  if (judged.kind === "value") return judged.value;
  faults.push({ code: judged.code, at, message: judged.message });
  return undefined;
}
