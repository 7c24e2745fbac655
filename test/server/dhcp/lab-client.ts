// A DHCP client for tests that sends exactly what it is told and shows what comes back; one process can be many machines.
// Started by rig.ts inside a namespace: `node lab-client.ts INTERFACE [PORT]`. Each line on stdin is a Question, each on
// stdout the list of Replies. Also used by the long tests in this process (askOn).
import { createInterface } from "node:readline";
import type { DhcpOptions } from "../../../server/dhcp/options.ts";
import {
  BOOT_REQUEST,
  BROADCAST_FLAG,
  type DhcpPacket,
  decodePacket,
  encodePacket,
} from "../../../server/dhcp/packet.ts";
import { type DhcpSocket, koffiProvider, openDhcpSocket } from "../../../server/dhcp/socket.ts";

export type Question = {
  mac: string;
  /** chaddr as hex with its own length, when it is no MAC. */
  hardwareHex?: string;
  /** Option 53. */
  type: number;
  options?: Omit<DhcpOptions, "others" | "clientUuid"> & { uuidHex?: string };
  flags?: number;
  clientIp?: string;
  relayIp?: string;
  xid?: number;
  to?: string;
  port?: number;
  /** How long to collect; ends at the first reply unless `all`. */
  waitMs?: number;
  all?: boolean;
};
export type Reply = {
  from: string;
  fromPort: number;
  type: number | undefined;
  yourIp: string;
  nextServerIp: string;
  bootFile: string;
  serverId: string | undefined;
  leaseSeconds: number | undefined;
  vendorClass: string | undefined;
  message: string | undefined;
};

export function packetOf(question: Question, xid: number): DhcpPacket {
  const hardwareAddress = new Uint8Array(16);
  const hex = question.hardwareHex ?? question.mac.replaceAll(":", "");
  hardwareAddress.set(Buffer.from(hex, "hex"));
  const { uuidHex, ...options } = question.options ?? {};
  return {
    op: BOOT_REQUEST,
    hardwareType: 1,
    hardwareLength: hex.length / 2,
    hops: question.relayIp ? 1 : 0,
    xid,
    secs: 0,
    flags: question.flags ?? BROADCAST_FLAG,
    clientIp: question.clientIp ?? "0.0.0.0",
    yourIp: "0.0.0.0",
    nextServerIp: "0.0.0.0",
    relayIp: question.relayIp ?? "0.0.0.0",
    hardwareAddress,
    serverName: "",
    bootFile: "",
    options: {
      messageType: question.type,
      requestedCodes: [1, 3, 6, 51, 54, 60, 66, 67],
      ...options,
      ...(uuidHex && { clientUuid: Uint8Array.from(Buffer.from(uuidHex, "hex")) }),
    },
  };
}

const replyOf = (packet: DhcpPacket, from: { address: string; port: number }): Reply => ({
  from: from.address,
  fromPort: from.port,
  type: packet.options.messageType,
  yourIp: packet.yourIp,
  nextServerIp: packet.nextServerIp,
  bootFile: packet.bootFile,
  serverId: packet.options.serverId,
  leaseSeconds: packet.options.leaseSeconds,
  vendorClass: packet.options.vendorClass,
  message: packet.options.message,
});

/** Opens a client on an interface; `ask` sends a question and collects its replies by xid. */
export async function openClient(interfaceName: string, port = 68) {
  const waiting = new Map<number, (reply: Reply) => void>();
  const socket: DhcpSocket = await openDhcpSocket({
    wish: { interfaceName, port, isShared: true },
    provider: koffiProvider,
    heard: (bytes, from) => {
      const packet = decodePacket(bytes);
      if (packet.op !== BOOT_REQUEST) waiting.get(packet.xid)?.(replyOf(packet, from));
    },
    failed: (error) => {
      throw error;
    },
  });
  let nextXid = (process.pid * 65_536) >>> 0;
  const ask = (question: Question) =>
    new Promise<Reply[]>((resolve, reject) => {
      nextXid = (nextXid + 1) >>> 0;
      const xid = question.xid ?? nextXid;
      const replies: Reply[] = [];
      const finish = () => {
        clearTimeout(timer);
        waiting.delete(xid);
        resolve(replies);
      };
      const timer = setTimeout(finish, question.waitMs ?? 1500);
      waiting.set(xid, (reply) => {
        replies.push(reply);
        if (!question.all) finish();
      });
      const to = { ip: question.to ?? "255.255.255.255", port: question.port ?? 67 };
      socket.send(encodePacket(packetOf(question, xid)), to).catch(reject);
    });
  return { ask, close: () => socket.close() };
}

if (import.meta.filename === process.argv[1]) {
  const client = await openClient(process.argv[2]!, Number(process.argv[3] ?? 68));
  process.stdout.write("open\n");
  for await (const line of createInterface({ input: process.stdin })) {
    const replies = await client.ask(JSON.parse(line) as Question);
    process.stdout.write(`${JSON.stringify(replies)}\n`);
  }
  client.close();
}
