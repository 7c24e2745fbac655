// The DISCOVER by which we look for other servers: sent from port 68 with our own MAC, never followed by a REQUEST, so that
// no lease is taken (pxe.md 1.14). Pure; run-mode.ts sends it.
import type { Mac } from "../../inventory/address.ts";
import { BOOT_REQUEST, BROADCAST_FLAG, type DhcpPacket, MESSAGE, NO_IP } from "./packet.ts";

/** Type 0 of RFC 2132 §9.14 with a name of its own: a server that keys by option 61 does not touch this machine's own lease. */
const CLIENT_ID = new TextEncoder().encode("\0slipway-looks-for-servers");

/** @param xid random, so that the answers to one probe can be told from others'. */
export function probePacket(mac: Mac, xid: number): DhcpPacket {
  const hardwareAddress = new Uint8Array(16);
  hardwareAddress.set(mac.split(":").map((part) => Number.parseInt(part, 16)));
  return {
    op: BOOT_REQUEST,
    hardwareType: 1,
    hardwareLength: 6,
    hops: 0,
    xid,
    secs: 0,
    // Answers must come by broadcast: a unicast to an address that is not ours would be dropped by our own kernel.
    flags: BROADCAST_FLAG,
    clientIp: NO_IP,
    yourIp: NO_IP,
    nextServerIp: NO_IP,
    relayIp: NO_IP,
    hardwareAddress,
    serverName: "",
    bootFile: "",
    options: { messageType: MESSAGE.discover, clientId: CLIENT_ID, requestedCodes: [1, 3, 54] },
  };
}
