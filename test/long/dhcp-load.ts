// Many machines at once for kill-under-load.ts, inside a namespace: each takes an address, then asks for it again now and then.
// Every ACK is one line `MAC ADDRESS` on stdout. Ends on SIGTERM. Run: node dhcp-load.ts INTERFACE SERVER SEED CONCURRENCY
import { openClient } from "../server/dhcp/lab-client.ts";
import { randomFrom } from "./seeded-random.ts";

const [interfaceName, server, seedText, concurrency] = process.argv.slice(2) as [string, string, string, string];
const [DISCOVER, OFFER, REQUEST, ACK] = [1, 2, 3, 5];
const ROUND_MS = 400;

const random = randomFrom(Number(seedText));
const client = await openClient(interfaceName);
const has = new Map<string, string>();
let made = 0;
const newMac = () => {
  made++;
  const hex = made.toString(16).padStart(6, "0");
  return `52:54:01:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`;
};
const acknowledged = (mac: string, ip: string) => {
  has.set(mac, ip);
  process.stdout.write(`${mac} ${ip}\n`);
};

/** One machine's turn: a new one takes a lease; an old one starts again with its address. */
async function turn(): Promise<void> {
  const known = [...has.keys()];
  if (known.length > 20 && random() < 0.4) {
    const mac = known[Math.floor(random() * known.length)]!;
    const options = { requestedIp: has.get(mac)! };
    const [reply] = await client.ask({ mac, type: REQUEST, options, waitMs: ROUND_MS });
    if (reply?.type === ACK) acknowledged(mac, reply.yourIp);
    else if (reply !== undefined) process.stdout.write(`${mac} refused ${has.get(mac)}\n`);
    return;
  }
  const mac = newMac();
  const [offer] = await client.ask({ mac, type: DISCOVER, waitMs: ROUND_MS });
  if (offer?.type !== OFFER) return;
  const options = { requestedIp: offer.yourIp, serverId: server };
  const [ack] = await client.ask({ mac, type: REQUEST, options, waitMs: ROUND_MS });
  if (ack?.type === ACK) acknowledged(mac, ack.yourIp);
}

process.stdout.write("open\n");
await Promise.all(
  Array.from({ length: Number(concurrency) }, async () => {
    for (;;) {
      await turn();
      await new Promise((resolve) => setTimeout(resolve, random() * 20));
    }
  }),
);
