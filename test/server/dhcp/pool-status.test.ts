import { expect, test } from "vitest";
import { parseCidr } from "../../../inventory/address.ts";
import type { Lease } from "../../../inventory/lease.ts";
import { poolStatus } from "../../../server/dhcp/pool-status.ts";
import type { ServedSubnet } from "../../../server/dhcp/subnet.ts";

const SUBNET: ServedSubnet = {
  network: parseCidr("192.0.2.0/24")!,
  ranges: [{ first: "192.0.2.100", last: "192.0.2.109" }],
  exclude: ["192.0.2.105", "192.0.2.1"],
  dns: [],
  ntp: [],
  leaseSeconds: 3600,
  isRelayed: false,
};
const LEASE: Lease = {
  subnet: "192.0.2.0/24",
  address: "192.0.2.100",
  mac: "52:54:00:00:00:01",
  state: "bound",
  startedAt: 0,
  expiresAt: 2000,
};
const bookWith = (...leases: Lease[]) => ({
  heldAt: (_: string, ip: string) => {
    const lease = leases.find((one) => one.address === ip);
    return lease && { lease, durableUntil: lease.expiresAt, epoch: 0 };
  },
});

test("poolStatus counts bound and set aside addresses of the pool, not ended, released or foreign ones", () => {
  const book = bookWith(
    LEASE,
    { ...LEASE, address: "192.0.2.101", state: "declined" },
    { ...LEASE, address: "192.0.2.102", state: "released" },
    { ...LEASE, address: "192.0.2.103", expiresAt: 1000 },
    { ...LEASE, address: "192.0.2.200" },
  );
  expect(poolStatus(SUBNET, book, 1000)).toEqual({
    subnet: "192.0.2.0/24",
    pool: "192.0.2.100-192.0.2.109",
    poolSize: 9,
    poolUsed: 2,
    isRelayed: false,
  });
});

test("poolStatus shows no pool where no address is given out", () => {
  expect(poolStatus({ ...SUBNET, ranges: [] }, bookWith(), 0)).toEqual({
    subnet: "192.0.2.0/24",
    poolSize: 0,
    poolUsed: 0,
    isRelayed: false,
  });
});
