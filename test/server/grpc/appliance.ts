// An appliance's gRPC port on loopback for tests: the real server, the real inventory in a directory of its own, a real CA.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NewEvent } from "../../../inventory/event.ts";
import type { Machine } from "../../../inventory/machine.ts";
import type { Inventory } from "../../../inventory/port.ts";
import { openInventory } from "../../../inventory/store.ts";
import type { Ticket } from "../../../inventory/ticket.ts";
import type { Authority } from "../../../server/grpc/authority.ts";
import type { ClusterDesk } from "../../../server/grpc/cluster-port.ts";
import { type GrpcServer, serveGrpc } from "../../../server/grpc/server.ts";
import { authorityOf, SECRETS } from "../../../server/secrets/secrets.ts";
import { silent } from "../../inventory/quiet-log.ts";

const DAY_MS = 24 * 3600_000;
export const MAC = "52:54:00:12:34:56";

/**
 * The appliance's own authority with keys that live in memory.
 * @param lifeMs life of client certificates from now on; the real one without it.
 */
export function testAuthority(lifeMs?: number): Authority {
  const authority = authorityOf(SECRETS.ca.make(randomBytes), randomBytes);
  if (lifeMs === undefined) return authority;
  // The real one gives seven days: as if it had been asked that long before.
  const earlier = (now: number) => now - 7 * DAY_MS + lifeMs;
  return { ...authority, issueClient: (key, id, now) => authority.issueClient(key, id, earlier(now)) };
}

export type Appliance = {
  inventory: Inventory;
  authority: Authority;
  server: GrpcServer;
  /** `127.0.0.1:port`. */
  address: string;
  /** What the appliance told its log, warnings and errors. */
  said: string[];
  /** Architectures that there is an image for. */
  images: Set<string>;
  /** Time as the appliance sees it; a test may move it. */
  time: { now(): number };
  /** A machine that has just booted and fetched this token. */
  boot(options?: { mac?: string; lifeMs?: number }): Promise<{ token: string; ticket: Ticket; machine: Machine }>;
  events(mac?: string): Promise<string[]>;
  /** Stops and starts the gRPC server on the same port; the inventory stays. */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
};

/** Starts one. */
export async function startAppliance(
  authority: Authority = testAuthority(),
  options: { desk?: ClusterDesk } = {},
): Promise<Appliance> {
  const dataDir = mkdtempSync(join(tmpdir(), "slipway-grpc-"));
  const retention = { eventsMs: 90 * DAY_MS, logBytes: 8 * 1024 * 1024 };
  const inventory = await openInventory({ dataDir, retention, log: silent });
  const time = { now: () => Date.now() };
  const said: string[] = [];
  const say = (text: string) => {
    if (said.length < 1000) said.push(text);
  };
  const log = { debug: () => {}, info: () => {}, warn: say, error: say };
  // Emptied as they settle: fuzz-grpc.ts watches this process's memory.
  const pending = new Set<Promise<void>>();
  const record = (event: Omit<NewEvent, "at">) => {
    const written = inventory.recordEvents([{ ...event, at: time.now() }]).finally(() => pending.delete(written));
    pending.add(written);
    // A connection that ends after close() has nobody to tell; events() and close() see every other fault.
    written.catch(() => {});
  };
  const serve = (port: number) =>
    serveGrpc({
      addresses: ["127.0.0.1"],
      port,
      authority,
      ownerPublicKey: "",
      inventory,
      log,
      record,
      now: () => time.now(),
      imageUrlFor: (arch, localIp) => (images.has(arch) ? `http://${localIp}:8080/image/0123456789abcdef/` : undefined),
      refreshMs: 50,
      armedMs: DAY_MS,
      desk: options.desk,
    });
  const images = new Set(["amd64"]);
  let server = await serve(0);
  const address = `127.0.0.1:${server.port}`;
  return {
    inventory,
    authority,
    get server() {
      return server;
    },
    address,
    said,
    images,
    time,
    boot: (options = {}) => bootMachine(inventory, time.now(), options),
    events: async (mac = MAC) => {
      await Promise.all(pending);
      return (await inventory.listEvents({ mac })).map((event) => event.kind);
    },
    restart: async (whileDown) => {
      const { port } = server;
      await server.close();
      await whileDown?.();
      server = await serve(port);
    },
    close: async () => {
      await server.close();
      await Promise.all(pending);
      await inventory.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}

async function bootMachine(inventory: Inventory, now: number, { mac = MAC, lifeMs = 15 * 60_000 }) {
  const machine = await inventory.sightMachine({ mac, at: now });
  await inventory.moveActivity(machine.id, "loading");
  const token = randomBytes(32).toString("base64url");
  const tokenHash = createHash("sha256").update(token).digest("hex");
  const id = `attempt-${randomBytes(4).toString("hex")}`;
  const common = { id, machineId: machine.id, mac, sourceIp: "127.0.0.1" };
  const ticket: Ticket = { ...common, issuedAt: now, expiresAt: now + lifeMs, tokenHash, fetchedAt: now };
  await inventory.saveAttempt({ ...common, startedAt: now, decision: "os" }, ticket);
  return { token, ticket, machine };
}
