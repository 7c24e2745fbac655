// The files below /run/slipway/etc that the image's /etc links to: resolvers, names, the node's own name. Pure: config and
// lease in, text out. run-node.ts writes them.

/** glibc reads no more than three servers (resolv.conf(5)). */
const MOST_SERVERS = 3;
/** And six search domains in older versions; Kubernetes adds three of its own to a pod's. */
const MOST_DOMAINS = 6;

/** @param servers IPv4 addresses, best first. None is no fault: the file then says so. */
export function renderResolvConf(servers: readonly string[], searchDomains: readonly string[]): string {
  const lines = servers.slice(0, MOST_SERVERS).map((ip) => `nameserver ${ip}`);
  if (searchDomains.length > 0) lines.push(`search ${searchDomains.slice(0, MOST_DOMAINS).join(" ")}`);
  return lines.length === 0 ? "# Neither the machine config nor DHCP names a resolver.\n" : `${lines.join("\n")}\n`;
}

/**
 * /etc/hosts: loopback, the node itself, and what the config adds.
 * @param ownIp undefined while there is no address: the name then means loopback.
 */
export function renderHosts(
  hostname: string,
  ownIp: string | undefined,
  extraHosts: readonly { ip: string; aliases: readonly string[] }[],
): string {
  const rows = [
    ["127.0.0.1", "localhost"],
    ["::1", "localhost ip6-localhost ip6-loopback"],
    ["ff02::1", "ip6-allnodes"],
    ["ff02::2", "ip6-allrouters"],
    [ownIp ?? "127.0.1.1", hostname],
    ...extraHosts.map(({ ip, aliases }) => [ip, aliases.join(" ")]),
  ];
  return `${rows
    .filter(([, names]) => names !== "")
    .map(([ip, names]) => `${ip} ${names}`)
    .join("\n")}\n`;
}
