// The table of the machine config's fields, second part: `machine.network.*`. Read with fields-machine.ts.
// Source: talos reference appendix C.2 (NetworkConfig, Device, Route, DHCPOptions) and §4.4. Pure.
import { done, list, object, refused } from "./shape.ts";
import * as v from "./values.ts";

const ETHERNET_ONLY = "only plain Ethernet interfaces in this release";
const CLOUD = "an endpoint on bare metal is announced by ARP";
const OLD = "obsolete; use addresses";

const ROUTE = object({
  network: done(v.subnet, "destination; 0.0.0.0/0 is the default route, also when it is absent"),
  gateway: done(v.hostIpv4, "next hop"),
  source: done(v.hostIpv4, "preferred own address"),
  metric: done(v.whole(0, 4_294_967_295), "the lowest is taken; 1024 if absent"),
  mtu: done(v.whole(68, 65_535), "bytes"),
});

const DEVICE = object({
  interface: done(v.interfaceName, "the kernel's name"),
  deviceSelector: done(
    object({
      busPath: refused("string", "path in sysfs", "not in this release; select by hardwareAddr"),
      hardwareAddr: done(v.macPattern, "MAC, or a glob over it"),
      permanentAddr: done(v.macPattern, "MAC burnt in, or a glob over it"),
      pciID: refused("string", "vendor and device id", "not in this release; select by hardwareAddr"),
      driver: done(v.text, "kernel driver, or a glob over it"),
      physical: done(v.flag, "no virtual interfaces"),
    }),
    "instead of a name: what it is",
  ),
  addresses: done(list(v.addressWithPrefix), "static addresses"),
  cidr: refused("string", "one static address", OLD, [""]),
  routes: done(list(ROUTE), "static routes"),
  bond: refused("map", "bonding", ETHERNET_ONLY),
  bridge: refused("map", "bridge", ETHERNET_ONLY),
  bridgePort: refused("map", "member of a bridge", ETHERNET_ONLY),
  vlans: refused("list of maps", "VLANs", ETHERNET_ONLY),
  mtu: done(v.whole(0, 65_535), "bytes; 0 leaves the driver's"),
  dhcp: done(v.flag, "ask for an address, beside static ones"),
  ignore: done(v.flag, "leave the interface alone"),
  dummy: done(v.onlyFlag(false, ETHERNET_ONLY), "an interface without hardware"),
  dhcpOptions: done(
    object({
      routeMetric: done(v.whole(0, 4_294_967_295), "metric of what DHCP gives; 1024 if absent"),
      ipv4: done(v.flag, "ask for IPv4; true if absent"),
      ipv6: done(v.onlyFlag(false, "IPv4 only in this release"), "ask for IPv6"),
      duidv6: refused("string", "DHCPv6 identity", "IPv4 only in this release", [""]),
    }),
    "how to ask for an address",
  ),
  wireguard: refused("map", "WireGuard", ETHERNET_ONLY),
  vip: done(
    object({
      ip: done(v.hostIpv4, "address that one control plane node holds at a time"),
      equinixMetal: refused("map", "VIP by Equinix's API", CLOUD),
      hcloud: refused("map", "VIP by Hetzner's API", CLOUD),
    }),
    "the cluster's endpoint",
  ),
});

export const NETWORK = object({
  hostname: done(v.hostname, "the node's name; a HostnameConfig document says the same"),
  interfaces: done(list(DEVICE), "interfaces; with none, DHCP on every one with carrier"),
  nameservers: done(list(v.hostIpv4), "resolvers; DHCP's if none"),
  searchDomains: done(list(v.domain), "search domains; DHCP's if none"),
  extraHostEntries: done(
    list(object({ ip: done(v.ipv4, "address"), aliases: done(list(v.domain), "names") })),
    "lines of /etc/hosts",
  ),
  kubespan: done(
    object({
      enabled: done(v.onlyFlag(false, "pods' traffic between nodes goes by VXLAN"), "WireGuard mesh"),
      advertiseKubernetesNetworks: refused("bool", "pod networks in the mesh", ETHERNET_ONLY, [false]),
      allowDownPeerBypass: refused("bool", "past the mesh when a peer is down", ETHERNET_ONLY, [false]),
      harvestExtraEndpoints: refused("bool", "learn endpoints", ETHERNET_ONLY, [false]),
      mtu: refused("uint32", "bytes", ETHERNET_ONLY, [0]),
      filters: refused("map", "which endpoints and networks", ETHERNET_ONLY),
    }),
    "WireGuard mesh between nodes",
  ),
  disableSearchDomain: done(v.flag, "no search domain from the hostname"),
});
