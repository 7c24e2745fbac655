// What the balancer on a node is told: where API servers are. The own one comes first on a control plane node; the endpoint
// is always there; the rest is learnt from the `kubernetes` Service's slices and kept (kept.ts), so that a node that starts
// while the endpoint is away still finds one. Called by run-settle.ts and run-duties.ts. Pure.
import { ipv4Number } from "../../server/contract/machine-config/address.ts";
import type { NodeConfig } from "../../server/contract/machine-config/node-config.ts";

export type ApiServer = { address: string; prefer?: true };

/** @param learnt `ip:port` of API servers, as the last known list has them. */
export function apiServers(config: NodeConfig, learnt: readonly string[]): ApiServer[] {
  const { endpoint } = config.cluster;
  const own: ApiServer[] =
    config.controlPlane === undefined
      ? []
      : [{ address: `127.0.0.1:${config.controlPlane.apiServerPort}`, prefer: true }];
  const others = [`${endpoint.host}:${endpoint.port}`, ...learnt].map((address) => ({ address }));
  return [...own, ...others].filter(({ address }, i, all) => all.findIndex((s) => s.address === address) === i);
}

/** The file of `slipway-balancer --config`. */
export const renderBalancerConfig = (port: number, servers: readonly ApiServer[]): string =>
  `${JSON.stringify({ listen: `127.0.0.1:${port}`, servers }, undefined, 2)}\n`;

export type EndpointSlice = {
  endpoints?: { addresses?: string[]; conditions?: { ready?: boolean } }[] | null;
  ports?: { port?: number }[] | null;
};
/** IPv4 only, sorted; those that are not ready are left out. */
export function serversOfSlices(slices: readonly EndpointSlice[]): string[] {
  const found = slices.flatMap(({ endpoints, ports }) =>
    (endpoints ?? [])
      .filter((e) => e.conditions?.ready !== false)
      .flatMap((e) => e.addresses ?? [])
      .filter((ip) => ipv4Number(ip) !== undefined)
      .flatMap((ip) => (ports ?? []).flatMap(({ port }) => (port === undefined ? [] : [`${ip}:${port}`]))),
  );
  return [...new Set(found)].sort();
}
