// A network interface as the serving rooms see it. server/observe.ts makes it. Pure: types only.
import type { Ipv4, Mac, Network } from "../../inventory/address.ts";

export type ServedInterface = {
  name: string;
  /** Kernel's interface index. */
  index: number;
  mac: Mac;
  /** Its first IPv4 address; undefined while it has none. */
  address?: Ipv4;
  /** All its IPv4 addresses, the first included. */
  addresses: readonly Ipv4[];
  /** Network of the first address. */
  network?: Network;
  hasCarrier: boolean;
  mtu: number;
};
