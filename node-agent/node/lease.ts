// A DHCP lease as networkd notes it (/run/systemd/netif/leases/<index>), and as the node keeps it on STATE. Pure.
// The notes are systemd's own format and stay stable for its own programs (sd_dhcp_lease_save); what is missing counts as none.
import { ipv4Number } from "../../server/contract/machine-config/address.ts";

export type LeaseRoute = { destination: string; bits: number; gateway: string };

export type Lease = {
  address: string;
  /** Prefix length. */
  bits: number;
  /** First the default route, where there is one. */
  routes: readonly LeaseRoute[];
  dns: readonly string[];
  domains: readonly string[];
  server: string;
  /** Seconds; 0 when the server named none. */
  lifetimeSeconds: number;
};

/** Reads a note; undefined when it holds no address. */
export function parseLease(text: string): Lease | undefined {
  const fields = new Map(
    text.split("\n").flatMap((line) => {
      const match = /^([A-Z0-9_]+)=(.*)$/.exec(line);
      return match === null ? [] : [[match[1]!, match[2]!.replace(/^"(.*)"$/, "$1")] as const];
    }),
  );
  const words = (name: string) => (fields.get(name) ?? "").split(/\s+/).filter((word) => word !== "");
  const address = fields.get("ADDRESS") ?? "";
  const bits = bitsOf(fields.get("NETMASK") ?? "");
  if (ipv4Number(address) === undefined || bits === undefined) return undefined;
  return {
    address,
    bits,
    routes: routesOf(words("ROUTER"), words("ROUTES")),
    dns: words("DNS").filter((ip) => ipv4Number(ip) !== undefined),
    domains: [...words("DOMAINNAME"), ...words("DOMAIN_SEARCH_LIST")],
    server: fields.get("SERVER_ADDRESS") ?? "",
    lifetimeSeconds: Number(/^\d+$/.exec(fields.get("LIFETIME") ?? "")?.[0] ?? 0),
  };
}

/** Classless routes go before the router (RFC 3442: with them, the router is ignored). */
function routesOf(routers: readonly string[], classless: readonly string[]): LeaseRoute[] {
  const routes = classless.flatMap((text) => {
    const match = /^([\d.]+)\/(\d+),([\d.]+)$/.exec(text);
    return match === null ? [] : [{ destination: match[1]!, bits: Number(match[2]), gateway: match[3]! }];
  });
  const all =
    routes.length > 0 ? routes : routers.slice(0, 1).map((gateway) => ({ destination: "0.0.0.0", bits: 0, gateway }));
  return all
    .filter(({ gateway, destination }) => ipv4Number(gateway) !== undefined && ipv4Number(destination) !== undefined)
    .sort((a, b) => a.bits - b.bits);
}

/** `255.255.255.0` → 24; undefined for what is no mask. */
function bitsOf(mask: string): number | undefined {
  const value = ipv4Number(mask);
  if (value === undefined) return undefined;
  const bits = value.toString(2).padStart(32, "0");
  return /^1*0*$/.test(bits) ? bits.replaceAll("0", "").length : undefined;
}
