// Rules for pools and subnets: what lies inside what, and what must not overlap. cross-checks.ts runs them. Pure.
import {
  type Ipv4,
  ipv4ToNumber,
  isInNetwork,
  type Network,
  numberToIpv4,
  parseCidr,
} from "../../inventory/address.ts";
import type { Complaint, Draft, Rule } from "./cross-checks.ts";
import type { Config, SubnetConfig } from "./settings.ts";
import type { Pool } from "./value.ts";
import type { Path } from "./walk.ts";

type Entry = { at: Path; interfaceName: string; net: Network; pool?: Pool | undefined; rest: Draft<SubnetConfig> };

/** Every readable entry of every `subnets` with its place. */
function subnetsOf(config: Draft<Config>): Entry[] {
  return config.interfaces.flatMap((of) =>
    of.subnets.flatMap((rest, i) => {
      const net = rest.subnet === undefined ? undefined : parseCidr(rest.subnet);
      const at = ["interfaces", of.name ?? "", "subnets", i];
      return net ? [{ at, interfaceName: of.name ?? "", net, pool: rest.pool as Pool | undefined, rest }] : [];
    }),
  );
}

const poolInside: Rule = (config) =>
  subnetsOf(config).flatMap(({ at, net, pool }) =>
    pool && !(isHost(pool.first, net) && isHost(pool.last, net))
      ? [{ path: [...at, "pool"], message: `must lie inside ${net.cidr} (${hosts(net)}), found ${show(pool)}` }]
      : [],
  );

const gatewayInside: Rule = (config) =>
  subnetsOf(config).flatMap(({ at, net, rest: { gateway } }) =>
    gateway !== undefined && !isHost(gateway, net)
      ? [{ path: [...at, "gateway"], message: `must lie inside ${net.cidr} (${hosts(net)}), found ${gateway}` }]
      : [],
  );

const excludeInside: Rule = (config) =>
  subnetsOf(config).flatMap(({ at, net, pool, rest }) => {
    const around = pool ? `the pool ${show(pool)}` : net.cidr;
    return ((rest.exclude ?? []) as (Ipv4 | undefined)[]).flatMap((ip, i): Complaint[] => {
      if (ip === undefined || (pool ? isInPool(ip, pool) : isInNetwork(ip, net))) return [];
      return [{ path: [...at, "exclude", i], message: `must lie inside ${around}, found ${ip}` }];
    });
  });

const subnetsDiffer: Rule = (config) => {
  const all = subnetsOf(config);
  return all.flatMap((later, i) => {
    const earlier = all.slice(0, i).find((e) => e.net.first <= later.net.last && later.net.first <= e.net.last);
    if (!earlier) return [];
    const where = `on ${earlier.interfaceName}`;
    const message =
      earlier.net.cidr === later.net.cidr
        ? `${later.net.cidr} is given twice (also ${where}); keep one`
        : `${later.net.cidr} overlaps ${earlier.net.cidr} ${where}; no address may be in two subnets`;
    return [{ path: [...later.at, "subnet"], message }];
  });
};

/** The short form (`pool`) is the interface's own subnet: the long form must not speak of the same addresses again. */
const shortFormStandsAlone: Rule = (config) => {
  const subnets = subnetsOf(config);
  const short = config.interfaces.flatMap((of) => (of.pool ? [{ name: of.name ?? "", pool: of.pool as Pool }] : []));
  return short.flatMap(({ name, pool }, i) => {
    const path: Path = ["interfaces", name, "pool"];
    const subnet = subnets.find(({ net }) => isInNetwork(pool.first, net) || isInNetwork(pool.last, net));
    const other = short.slice(0, i).find((o) => overlap(o.pool, pool));
    const twice = `${show(pool)} lies in ${subnet?.net.cidr}, which ${subnet?.interfaceName}.subnets lists; keep one of the two`;
    if (subnet) return [{ path, message: twice }];
    return other ? [{ path, message: `${show(pool)} overlaps the pool of ${other.name}, ${show(other.pool)}` }] : [];
  });
};

export const SUBNET_RULES: readonly Rule[] = [
  poolInside,
  gatewayInside,
  excludeInside,
  subnetsDiffer,
  shortFormStandsAlone,
];

const isHost = (ip: Ipv4, net: Network) => ipv4ToNumber(ip) > net.first && ipv4ToNumber(ip) < net.last;
const hosts = (net: Network) => `${numberToIpv4(net.first + 1)} to ${numberToIpv4(net.last - 1)}`;
const isInPool = (ip: Ipv4, pool: Pool) =>
  ipv4ToNumber(ip) >= ipv4ToNumber(pool.first) && ipv4ToNumber(ip) <= ipv4ToNumber(pool.last);
const overlap = (a: Pool, b: Pool) =>
  ipv4ToNumber(a.first) <= ipv4ToNumber(b.last) && ipv4ToNumber(b.first) <= ipv4ToNumber(a.last);
const show = (pool: Pool) => `${pool.first}-${pool.last}`;
