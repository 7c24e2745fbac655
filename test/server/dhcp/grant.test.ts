// When a lease is written, and that no client is ever told more than the disk holds.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Lease } from "../../../inventory/lease.ts";
import { decodePacket } from "../../../server/dhcp/packet.ts";
import { decideReply } from "../../../server/dhcp/reply.ts";
import { MAC, message } from "./messages.ts";
import { NOW, replyOf, Site } from "./site.ts";

const HOUR = 3600;
const selecting = (site: Site, options = {}) =>
  message("request", { requestedIp: "192.0.2.110", serverId: site.serverIp, ...options });
const renewing = (options = {}) => message("request", options, { clientIp: "192.0.2.110" });
const told = (reply: ReturnType<typeof replyOf>) => reply.packet.options.leaseSeconds;

describe("a renewal", () => {
  test("is not written when it would move the end by less than a quarter; the client is told the rest", () => {
    const site = new Site();
    replyOf(site.ask(selecting(site)));
    site.now += HOUR / 4;
    const reply = replyOf(site.ask(renewing()));
    expect([reply.leases, reply.changes, told(reply)]).toEqual([[], [], 0.75 * HOUR]);
    expect(reply.packet.options).toMatchObject({ renewalSeconds: 0.375 * HOUR, rebindingSeconds: 2362 });
  });
  test("is written when it moves the end by a quarter or more", () => {
    const site = new Site();
    replyOf(site.ask(selecting(site)));
    site.now += HOUR / 4 + 1;
    const reply = replyOf(site.ask(renewing()));
    expect(reply.leases).toMatchObject([{ startedAt: NOW, expiresAt: site.now + HOUR }]);
    expect(told(reply)).toBe(HOUR);
  });
  test("is written when the client's own words changed", () => {
    const site = new Site();
    replyOf(site.ask(selecting(site)));
    for (const options of [{ clientId: Uint8Array.of(1, 2) }, { hostname: "node7" }]) {
      expect(replyOf(site.ask(renewing(options))).leases).toHaveLength(1);
    }
  });
  test("a lease of the minimum is always written", () => {
    const site = new Site("192.0.2", { leaseSeconds: 120 });
    replyOf(site.ask(selecting(site)));
    site.now += 1;
    const reply = replyOf(site.ask(renewing()));
    expect([reply.leases.length, told(reply)]).toEqual([1, 120]);
  });
  test("less than the minimum is never told", () => {
    const site = new Site("192.0.2", { leaseSeconds: 10 });
    expect(told(replyOf(site.ask(selecting(site))))).toBe(120);
  });
  test("an endless lease is written once", () => {
    const site = new Site("192.0.2", { leaseSeconds: 0xffffffff });
    expect(replyOf(site.ask(selecting(site))).leases).toMatchObject([{ expiresAt: 253_402_300_799 }]);
    site.now += 1e9;
    const reply = replyOf(site.ask(renewing()));
    expect([reply.leases, told(reply)]).toEqual([[], 0xffffffff]);
  });
  test("a shorter lease time from now on is told at once, without a write: the disk promises more already", () => {
    const site = new Site();
    replyOf(site.ask(selecting(site)));
    site.subnets[0] = { ...site.subnets[0]!, leaseSeconds: 600 };
    const reply = replyOf(site.ask(renewing()));
    expect([reply.leases, told(reply)]).toEqual([[], 600]);
  });
  test("a shorter lease time never takes back on disk what was promised: the ACK may get lost", () => {
    const site = new Site();
    replyOf(site.ask(selecting(site)));
    site.subnets[0] = { ...site.subnets[0]!, leaseSeconds: 600 };
    const reply = replyOf(site.ask(renewing({ hostname: "node7" })));
    expect([told(reply), reply.leases[0]?.expiresAt]).toEqual([600, NOW + HOUR]);
  });
  test("an expired lease that is still the machine's begins anew", () => {
    const site = new Site();
    replyOf(site.ask(selecting(site)));
    site.now += 2 * HOUR;
    expect(replyOf(site.ask(renewing())).leases).toMatchObject([{ startedAt: site.now, expiresAt: site.now + HOUR }]);
  });
});

describe("a write under way", () => {
  /** As {@link Site.ask}, but the disk has not answered yet. */
  const askUnsaved = (site: Site, request = selecting(site)) => {
    const decision = decideReply(request, site.factsFor(request, {}));
    site.book.apply(decision.changes);
    return replyOf(decision);
  };
  test("a repeated REQUEST is written again: its ACK must wait for a commit as well", () => {
    const site = new Site();
    const first = askUnsaved(site);
    const again = askUnsaved(site);
    expect([first.leases, again.leases]).toEqual([again.leases, first.leases]);
    site.book.markDurable(first.leases);
    expect(askUnsaved(site).leases).toEqual([]);
  });
  test("a renewal whose write failed is written again", () => {
    const site = new Site();
    replyOf(site.ask(selecting(site)));
    site.now += HOUR / 2;
    askUnsaved(site, renewing());
    site.now += 1;
    expect(askUnsaved(site, renewing()).leases).toHaveLength(1);
  });
});

const step = fc.record({
  what: fc.constantFrom("request", "renew", "release", "save", "save-one", "lose", "wait", "settings"),
  seconds: fc.integer({ min: 0, max: 4000 }),
  hostname: fc.constantFrom("a", "b"),
});

test("random histories: the disk holds at every moment what ACKs that left have promised", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const site = new Site();
      const disk = new Map<string, Lease>();
      /** Answers that wait for their commit, in the order of the queue. */
      let queue: { leases: readonly Lease[]; end?: number }[] = [];
      /** Until when the client may use the address, by the best ACK that has left. */
      let promised = 0;
      const leave = (end: number) => {
        promised = Math.max(promised, end);
        check();
      };
      const commit = (count: number) => {
        for (const { leases, end } of queue.splice(0, count)) {
          for (const lease of leases) disk.set(lease.address, lease);
          site.book.markDurable(leases);
          if (end !== undefined) leave(end);
          check();
        }
      };
      const check = () => {
        if (promised <= site.now) return;
        const stored = disk.get("192.0.2.110");
        expect(stored).toMatchObject({ mac: MAC, state: "bound" });
        expect(promised).toBeLessThanOrEqual(stored!.expiresAt);
      };
      for (const { what, seconds, hostname } of steps) {
        if (what === "save") commit(queue.length);
        if (what === "save-one") commit(1);
        if (what === "lose") queue = queue.filter(({ end }) => end === undefined);
        if (what === "wait") site.now += seconds;
        if (what === "settings") site.subnets[0] = { ...site.subnets[0]!, leaseSeconds: 120 + seconds };
        if (what !== "request" && what !== "renew" && what !== "release") continue;
        const request =
          what === "request"
            ? selecting(site, { hostname })
            : what === "renew"
              ? renewing({ hostname })
              : message("release", { serverId: site.serverIp }, { clientIp: "192.0.2.110" });
        const decision = decideReply(request, site.factsFor(request, { isUnicast: what === "renew" }));
        site.book.apply(decision.changes);
        if (decision.kind === "ignore") {
          // The client has given it up: an ACK that is still under way means nothing to it.
          if (what === "release") {
            promised = 0;
            queue = queue.map(({ leases }) => ({ leases }));
          }
          if (decision.leases.length > 0) queue.push({ leases: decision.leases });
          continue;
        }
        const { options } = decodePacket(decision.bytes);
        if (options.messageType !== 5) continue;
        const end = site.now + options.leaseSeconds!;
        // An answer that needs no write leaves at once, before all that is queued.
        if (decision.leases.length === 0) leave(end);
        else queue.push({ leases: decision.leases, end });
      }
    }),
    { numRuns: 1500, verbose: 1, ...(process.env.FC_SEED && { seed: Number(process.env.FC_SEED) }) },
  );
});
