// The lease book: its order of choice, its verdicts, and by random histories what must never happen.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isInNetwork } from "../../../inventory/address.ts";
import type { Lease } from "../../../inventory/lease.ts";
import type { BootClient } from "../../../server/boot/client.ts";
import { LeaseBook, QUARANTINE_SECONDS } from "../../../server/dhcp/leases.ts";
import { machineWith, NOW, subnetAt } from "./site.ts";

const CIDR = "192.0.2.0/24";
const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
const client: BootClient = { kind: "pxe", platform: "bios", arch: "i386" };

const bookWith = (over: Parameters<typeof subnetAt>[1] = {}): LeaseBook => {
  const book = new LeaseBook();
  book.openPool(subnetAt("192.0.2", over), ["192.0.2.1", "192.0.2.100"]);
  return book;
};
const lease = (address: string, mac: string, over: Partial<Lease> = {}): Lease => ({
  subnet: CIDR,
  address: `192.0.2.${address}`,
  mac,
  state: "bound",
  startedAt: NOW,
  expiresAt: NOW + 3600,
  ...over,
});
const offer = (book: LeaseBook, key: string, address: string, until = NOW + 90) =>
  book.apply([{ kind: "offer", offer: { subnet: CIDR, address: `192.0.2.${address}`, key, until, client } }]);
const chosen = (book: LeaseBook, key = A, hint?: string, now = NOW) => {
  const choice = book.choose(CIDR, key, hint, now);
  return choice.kind === "address" ? `${choice.origin} ${choice.address.split(".")[3]}` : choice.kind;
};
const judged = (book: LeaseBook, address: string, key = A, now = NOW) => {
  const verdict = book.judge(CIDR, key, address.includes(".") ? address : `192.0.2.${address}`, now);
  return verdict.kind === "own" ? `own${verdict.isActive ? " active" : ""}` : verdict.kind;
};
const reserve = (book: LeaseBook, address: string, macs = [A], over = {}) =>
  book.setMachine(machineWith({ macs, address: `192.0.2.${address}`, ...over }));

describe("choose", () => {
  test("a free address: the first that is not our own", () => expect(chosen(bookWith())).toBe("free 101"));
  test("the hint, when it is in the pool and free", () => {
    const book = bookWith();
    expect(chosen(book, A, "192.0.2.150")).toBe("hint 150");
    for (const bad of ["0.0.0.0", "192.0.2.100", "192.0.2.99", "10.0.0.1"])
      expect(chosen(book, A, bad)).toBe("free 101");
    book.load([lease("150", B)]);
    expect(chosen(book, A, "192.0.2.150")).toBe("free 101");
  });
  test("its last expired or released address before a hint, while nobody has it", () => {
    const book = bookWith();
    book.load([lease("120", A, { expiresAt: NOW - 5 })]);
    expect(chosen(book, A, "192.0.2.150")).toBe("expired 120");
    book.load([lease("120", B)]);
    expect(chosen(book, A)).toBe("free 101");
  });
  test("its current address before anything but a reservation", () => {
    const book = bookWith();
    book.load([lease("120", A)]);
    expect(chosen(book, A, "192.0.2.150")).toBe("binding 120");
    reserve(book, "50");
    expect(chosen(book)).toBe("reservation 50");
  });
  test("a pending offer again, until it ends", () => {
    const book = bookWith();
    offer(book, A, "130");
    expect([chosen(book), chosen(book, B, "192.0.2.130")]).toEqual(["offer 130", "free 101"]);
    expect(chosen(book, B, "192.0.2.130", NOW + 91)).toBe("hint 130");
  });
  test("an offer that another took over is gone", () => {
    const book = bookWith();
    offer(book, A, "130");
    offer(book, B, "130", NOW + 200);
    expect(book.offer(CIDR, A, NOW)).toBeUndefined();
    expect(book.rememberedClient(B, NOW)).toEqual(client);
    expect(book.rememberedClient(A, NOW)).toBeUndefined();
  });
  test("a reservation only from approval on, and not of a retired machine", () => {
    const book = bookWith();
    for (const [lifecycle, want] of [
      ["discovered", "free 101"],
      ["approved", "reservation 50"],
      ["installed", "reservation 50"],
      ["ready", "reservation 50"],
      ["retired", "free 101"],
    ] as const) {
      reserve(book, "50", [A], { lifecycle });
      expect([lifecycle, chosen(book)]).toEqual([lifecycle, want]);
    }
  });
  const UNUSABLE: { name: string; with: (book: LeaseBook) => void; reason: string; address?: string }[] = [
    { name: "leased to another", with: (b) => b.load([lease("50", B)]), reason: "is leased to another machine" },
    { name: "offered to another", with: (b) => offer(b, B, "50"), reason: "is offered to another machine" },
    { name: "declined", with: (b) => b.setAside(CIDR, "192.0.2.50", B, NOW), reason: "set aside" },
    { name: "our own", with: () => {}, reason: "our own", address: "1" },
    { name: "the gateway's", with: () => {}, reason: "the gateway's", address: "254" },
    { name: "the network's", with: () => {}, reason: "excluded", address: "0" },
  ];
  for (const { name, with: prepare, reason, address = "50" } of UNUSABLE) {
    test(`a reservation that is ${name} is not given, and it is said why`, () => {
      const book = bookWith();
      prepare(book);
      reserve(book, address);
      const choice = book.choose(CIDR, A, undefined, NOW);
      expect(choice).toMatchObject({ kind: "address", address: "192.0.2.101" });
      expect(choice.unusable).toMatchObject({ address: `192.0.2.${address}`, reason: expect.stringContaining(reason) });
    });
  }
  test("one machine's two NICs do not get one reservation at a time", () => {
    const book = bookWith();
    reserve(book, "50", [A, B]);
    book.load([lease("50", A)]);
    expect([chosen(book, A), chosen(book, B)]).toEqual(["reservation 50", "free 101"]);
    expect(chosen(book, B, undefined, NOW + 3601)).toBe("reservation 50");
  });
  test("a reservation in another network is none here", () => {
    const book = bookWith();
    book.setMachine(machineWith({ macs: [A], address: "10.9.9.9" }));
    expect(chosen(book)).toBe("free 101");
    expect(book.isKnown(CIDR, A, NOW)).toBe(false);
  });
  test("an address that was reserved is in the pool again afterwards", () => {
    const book = bookWith({ ranges: [{ first: "192.0.2.101", last: "192.0.2.102" }] });
    reserve(book, "101", [B]);
    expect(chosen(book)).toBe("free 102");
    offer(book, A, "102");
    expect(chosen(book, "52:54:00:00:00:0c")).toBe("full");
    book.deleteMachine("m1");
    expect(chosen(book, "52:54:00:00:00:0c")).toBe("free 101");
    book.deleteMachine("nobody");
  });
  test("a machine that changes its reservation frees the old one", () => {
    const book = bookWith({ ranges: [{ first: "192.0.2.101", last: "192.0.2.101" }] });
    reserve(book, "101", [B]);
    expect(chosen(book)).toBe("full");
    reserve(book, "102", [B]);
    reserve(book, "102", [B]);
    expect(chosen(book)).toBe("free 101");
  });
  test("two machines that claim one MAC or address: the later word counts, the earlier's end takes nothing away", () => {
    const book = bookWith();
    reserve(book, "50", [A], { id: "m1" });
    reserve(book, "50", [A], { id: "m2" });
    book.deleteMachine("m1");
    expect(chosen(book)).toBe("reservation 50");
    reserve(book, "51", [A], { id: "m3" });
    book.deleteMachine("m2");
    expect(chosen(book)).toBe("reservation 51");
  });
  test("a full pool is an outcome, with the reservation that could not be had", () => {
    const book = bookWith({ ranges: [] });
    book.load([lease("50", B)]);
    reserve(book, "50");
    expect(book.choose(CIDR, A, undefined, NOW)).toMatchObject({ kind: "full", unusable: { address: "192.0.2.50" } });
    expect(new LeaseBook().choose(CIDR, A, undefined, NOW)).toEqual({ kind: "full" });
  });
  test("a lease outside a pool that was made smaller is not given again", () => {
    const book = bookWith();
    book.load([lease("190", A)]);
    expect(chosen(book)).toBe("binding 190");
    book.openPool(subnetAt("192.0.2", { ranges: [{ first: "192.0.2.110", last: "192.0.2.120" }] }), []);
    expect([chosen(book), judged(book, "190")]).toEqual(["free 110", "outside-pool"]);
  });
  test("leases loaded before the pool is opened count", () => {
    const book = new LeaseBook();
    book.load([lease("101", B), lease("102", B, { state: "released", expiresAt: NOW - 9 })]);
    offer(book, "52:54:00:00:00:0d", "103");
    book.openPool(subnetAt("192.0.2", { ranges: [{ first: "192.0.2.101", last: "192.0.2.103" }] }), []);
    expect(chosen(book)).toBe("free 102");
  });
  test("a subnet without a gateway has one address more", () => {
    const { gateway: _, ...subnet } = subnetAt("192.0.2", { ranges: [{ first: "192.0.2.254", last: "192.0.2.254" }] });
    const book = new LeaseBook();
    book.openPool(subnet, []);
    expect(chosen(book)).toBe("free 254");
  });
  test("a /31 has neither network nor broadcast address", () => {
    const book = new LeaseBook();
    const network = {
      cidr: "10.0.0.0/31",
      first: 0x0a000000,
      last: 0x0a000001,
      prefix: 31,
      netmask: "",
      broadcast: "",
    };
    book.openPool({ ...subnetAt("10.0.0"), network, ranges: [{ first: "10.0.0.0", last: "10.0.0.1" }] }, ["10.0.0.1"]);
    expect(book.choose("10.0.0.0/31", A, undefined, NOW)).toMatchObject({ address: "10.0.0.0" });
  });
});

describe("judge", () => {
  test("own: current, expired, offered or reserved; active only while it runs", () => {
    const book = bookWith();
    book.load([lease("120", A)]);
    offer(book, A, "130");
    reserve(book, "50");
    expect([judged(book, "120"), judged(book, "120", A, NOW + 3601)]).toEqual(["own active", "own"]);
    expect([judged(book, "130"), judged(book, "50")]).toEqual(["own", "own"]);
    book.load([lease("50", A, { expiresAt: NOW + 9999 })]);
    expect(judged(book, "50")).toBe("own active");
  });
  const CASES = [
    { name: "free in the pool", address: "140", want: "free" },
    { name: "outside the pool", address: "60", want: "outside-pool" },
    { name: "our own", address: "1", want: "taken" },
    { name: "reserved for another", address: "70", want: "taken" },
    { name: "leased to another", address: "121", want: "taken" },
    { name: "another network", address: "10.1.1.1", want: "wrong-network" },
  ];
  for (const { name, address, want } of CASES) {
    test(`${name}: ${want}`, () => {
      const book = bookWith();
      reserve(book, "70", [B]);
      book.load([lease("121", B)]);
      expect(judged(book, address)).toBe(want);
    });
  }
  test("no pool is open: wrong network", () => {
    expect(new LeaseBook().judge(CIDR, A, "192.0.2.120", NOW)).toEqual({
      kind: "wrong-network",
      reason: "is not in a served network",
    });
  });
  test("an address that the machine left is no longer its own", () => {
    const book = bookWith();
    book.load([lease("120", A)]);
    book.apply([
      { kind: "lease", lease: lease("120", A, { state: "released", expiresAt: NOW }) },
      { kind: "lease", lease: lease("121", A) },
    ]);
    expect([judged(book, "120"), judged(book, "121")]).toEqual(["free", "own active"]);
  });
});

describe("durability", () => {
  test("nothing is durable until it is said to be, and only of the same binding", () => {
    const book = bookWith();
    const first = lease("120", A);
    book.apply([{ kind: "lease", lease: first }]);
    book.markDurable([{ ...first }]);
    expect(book.held(CIDR, A)?.durableUntil).toBe(0);
    book.markDurable([first]);
    expect(book.held(CIDR, A)?.durableUntil).toBe(first.expiresAt);
    book.apply([{ kind: "lease", lease: lease("120", A, { expiresAt: NOW + 9000 }) }]);
    expect(book.held(CIDR, A)?.durableUntil).toBe(first.expiresAt);
  });
  test("a late mark of an earlier binding, or of another's, counts for nothing", () => {
    const book = bookWith();
    const first = lease("120", A);
    book.apply([{ kind: "lease", lease: first }]);
    book.apply([{ kind: "lease", lease: lease("120", A, { state: "released", expiresAt: NOW }) }]);
    book.markDurable([first]);
    expect(book.held(CIDR, A)?.durableUntil).toBe(0);
    // In the same second, so that nothing in the lease itself tells them apart.
    book.apply([{ kind: "lease", lease: lease("120", A) }]);
    book.markDurable([first]);
    expect(book.held(CIDR, A)?.durableUntil).toBe(0);
    book.apply([{ kind: "lease", lease: lease("120", B, { startedAt: NOW }) }]);
    book.markDurable([first, lease("199", A)]);
    expect(book.heldAt(CIDR, "192.0.2.120")?.durableUntil).toBe(0);
  });
});

describe("quarantine", () => {
  test("a declined address is nobody's until its time is over, and counts for who declined it", () => {
    const book = bookWith();
    book.load([lease("120", A)]);
    book.apply([{ kind: "lease", lease: lease("120", A, { state: "declined", expiresAt: NOW + 600 }) }]);
    expect([book.held(CIDR, A), book.declinedCount(CIDR, A, NOW)]).toEqual([undefined, 1]);
    expect([judged(book, "120"), judged(book, "120", A, NOW + 600)]).toEqual(["taken", "free"]);
    expect(book.declinedCount(CIDR, A, NOW + 600)).toBe(0);
    book.apply([{ kind: "lease", lease: lease("120", B, { expiresAt: NOW + 9000 }) }]);
    expect(book.declinedCount(CIDR, A, NOW)).toBe(0);
  });
  test("setAside ends an offer of that address, and says what to save", () => {
    const book = bookWith();
    offer(book, A, "120");
    const saved = book.setAside(CIDR, "192.0.2.120", B, NOW);
    expect(saved).toEqual(lease("120", B, { state: "declined", expiresAt: NOW + QUARANTINE_SECONDS }));
    expect([book.offer(CIDR, A, NOW), chosen(book, A, "192.0.2.120")]).toEqual([undefined, "free 101"]);
    expect([...book.leases()]).toEqual([saved]);
  });
});

// Random histories: what must never happen, whoever asks for what and whenever.
const KEYS = Array.from({ length: 6 }, (_, i) => `52:54:00:00:00:0${i}`);
const step = fc.record({
  what: fc.constantFrom(
    "offer",
    "bind",
    "release",
    "decline",
    "other",
    "reserve",
    "unreserve",
    "aside",
    "wait",
    "reopen",
  ),
  key: fc.constantFrom(...KEYS),
  n: fc.integer({ min: 95, max: 112 }),
  seconds: fc.integer({ min: 0, max: 700 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class History {
  readonly book = new LeaseBook();
  now = NOW;
  reserved = new Map<string, string>();
  readonly subnet = subnetAt("192.0.2", {
    ranges: [{ first: "192.0.2.100", last: "192.0.2.107" }],
    exclude: ["192.0.2.103"],
    gateway: "192.0.2.101",
  });
  constructor() {
    this.book.openPool(this.subnet, ["192.0.2.102"]);
  }
  holderOf(address: string): string | undefined {
    const held = this.book.heldAt(CIDR, address)?.lease;
    return held?.state === "bound" && held.expiresAt > this.now ? held.mac : undefined;
  }
  run({ what, key, n, seconds }: Step): void {
    const { book, now } = this;
    const held = book.held(CIDR, key)?.lease;
    if (what === "wait") this.now += seconds;
    if (what === "reopen") book.openPool(this.subnet, ["192.0.2.102"]);
    if (what === "other") book.apply([{ kind: "drop-offer", subnet: CIDR, key }]);
    if (what === "aside") book.setAside(CIDR, `192.0.2.${n}`, "02:00:00:00:00:01", now);
    if (what === "release" && held?.state === "bound") this.put({ ...held, state: "released", expiresAt: now });
    if (what === "decline" && held?.state === "bound") this.put({ ...held, state: "declined", expiresAt: now + 600 });
    if (what === "reserve") this.reserve(key, `192.0.2.${n}`);
    if (what === "unreserve") this.reserve(key, undefined);
    if (what === "offer") this.offer(key, `192.0.2.${n}`);
    if (what === "bind") this.bind(key, seconds);
  }
  put(entry: Lease): void {
    this.book.apply([{ kind: "lease", lease: entry }]);
  }
  reserve(key: string, address: string | undefined): void {
    const takenByOther = [...this.reserved].some(([other, taken]) => other !== key && taken === address);
    if (takenByOther) return;
    if (address === undefined) this.reserved.delete(key);
    else this.reserved.set(key, address);
    this.book.setMachine({ id: key, macs: [key], lifecycle: "approved", ...(address && { address }) });
  }
  offer(key: string, hint: string): void {
    const choice = this.book.choose(CIDR, key, hint, this.now);
    if (choice.kind === "full") {
      this.checkFull(key);
      return;
    }
    this.checkGiven(key, choice.address);
    const made = { subnet: CIDR, address: choice.address, key, until: this.now + 90, client };
    this.book.apply([{ kind: "offer", offer: made }]);
  }
  bind(key: string, seconds: number): void {
    const pending = this.book.offer(CIDR, key, this.now);
    if (pending === undefined || this.book.judge(CIDR, key, pending.address, this.now).kind !== "own") return;
    this.checkGiven(key, pending.address);
    const held = this.book.held(CIDR, key)?.lease;
    if (held?.state === "bound" && held.address !== pending.address && held.expiresAt > this.now) {
      this.put({ ...held, state: "released", expiresAt: this.now });
    }
    this.put(lease(pending.address.split(".")[3]!, key, { startedAt: this.now, expiresAt: this.now + 120 + seconds }));
  }
  /** No address twice, none that is reserved for another, ours, excluded or set aside. */
  checkGiven(key: string, address: string): void {
    expect(["192.0.2.101", "192.0.2.102", "192.0.2.103"]).not.toContain(address);
    expect(isInNetwork(address, this.subnet.network)).toBe(true);
    expect([undefined, key]).toContain(this.holderOf(address));
    for (const other of KEYS) {
      if (other === key) continue;
      expect(this.book.offer(CIDR, other, this.now)?.address).not.toBe(address);
      expect(this.reserved.get(other)).not.toBe(address);
    }
    const held = this.book.heldAt(CIDR, address)?.lease;
    expect(held?.state === "declined" && held.expiresAt > this.now).toBe(false);
  }
  /** "Full" is only said when it is true: every address of the pool has something in its way. */
  checkFull(key: string): void {
    for (let n = 100; n <= 107; n++) {
      const verdict = this.book.judge(CIDR, key, `192.0.2.${n}`, this.now);
      expect([n, verdict.kind]).toEqual([n, "taken"]);
    }
  }
  /** Each machine has at most one running lease, and each address one holder by construction. */
  checkWhole(): void {
    const running = [...this.book.leases()].filter((each) => each.state === "bound" && each.expiresAt > this.now);
    expect(new Set(running.map(({ mac }) => mac)).size).toBe(running.length);
    expect(new Set(running.map(({ address }) => address)).size).toBe(running.length);
  }
}

test("random histories: no address twice, reservations and quarantine respected, full only when full", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const history = new History();
      for (const each of steps) {
        history.run(each);
        history.checkWhole();
      }
    }),
    { numRuns: 400, verbose: 1, ...(process.env.FC_SEED && { seed: Number(process.env.FC_SEED) }) },
  );
});

test("random histories: a book loaded from its own leases chooses as before", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const history = new History();
      for (const each of steps) history.run(each);
      const again = new LeaseBook();
      again.load([...history.book.leases()].reverse());
      again.openPool(history.subnet, ["192.0.2.102"]);
      for (const key of KEYS) {
        const before = history.book.held(CIDR, key)?.lease;
        if (before === undefined || before.expiresAt <= history.now) continue;
        expect(again.held(CIDR, key)?.lease).toEqual(before);
      }
    }),
    { numRuns: 200, verbose: 1, ...(process.env.FC_SEED && { seed: Number(process.env.FC_SEED) }) },
  );
});
