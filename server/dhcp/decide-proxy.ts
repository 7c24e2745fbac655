// Boot data beside another server's lease: the ProxyDHCP offer on port 67 (pxe.md 2.5), and the boot server on port 4011
// (pxe.md 2.6), which serves in both modes. Called by reply.ts. Pure.
import { BOOTING_KINDS, type ClientKind } from "../boot/client.ts";
import { bootPart } from "./boot-options.ts";
import { describeClient } from "./client.ts";
import { bootEvents } from "./decide-discover.ts";
import type { Decision, ReplyFacts } from "./facts.ts";
import { type DhcpPacket, MESSAGE } from "./packet.ts";
import { OLD_PI, OLD_PI_DELAY_MS } from "./raspberry-pi.ts";
import { eventOf, ignore, makeReply } from "./reply-packet.ts";
import { isOurServerId } from "./server-id.ts";

const AT_BOOT_SERVER: ReadonlySet<ClientKind> = new Set(["pxe", "ipxe", "raspberry-pi"]);

/** Only DISCOVERs of booting clients: a kernel would take an offer without an address for its lease (horror 40). */
export function decideProxy(request: DhcpPacket, facts: ReplyFacts): Decision {
  const { client } = facts;
  const { messageType, serverId } = request.options;
  const isBooting = BOOTING_KINDS.has(client.kind);
  if (messageType === MESSAGE.request && isBooting && serverId && !isOurServerId(request, facts, serverId)) {
    return ignore("a proxy gives no leases", { events: [eventOf(request, "dhcp-other-server", { server: serverId })] });
  }
  if (messageType !== MESSAGE.discover) return ignore(`a proxy answers DISCOVER only, not message type ${messageType}`);
  if (!isBooting) return ignore("a proxy answers booting clients only");
  const boot = bootPart(request, facts, "proxy");
  const events = [eventOf(request, "dhcp-discover", { client: describeClient(client) })];
  if (boot.kind !== "boot") {
    const why = boot.kind === "none" ? [eventOf(request, "dhcp-ignored", { reason: boot.reason })] : [];
    return ignore(boot.reason, { events: [...events, ...bootEvents(request, facts, boot), ...why] });
  }
  const offered = eventOf(request, "dhcp-proxy-offer", boot.file === undefined ? {} : { file: boot.file });
  const isOldPi = client.kind === "raspberry-pi" && client.model === OLD_PI;
  return makeReply(
    request,
    facts,
    boot.fields,
    { messageType: MESSAGE.offer, ...boot.options },
    {
      events: [...events, ...bootEvents(request, facts, boot), offered],
      ...(isOldPi && { delayMs: OLD_PI_DELAY_MS }),
    },
  );
}

/**
 * The boot server: REQUEST, or INFORM as WDS has it, to port 4011. Variants seen: 16-byte GUID for chaddr (EDK2), xid 0
 * (iPXE), flags 8000 although unicast, with or without the item 43.71.
 */
export function decideBootServer(request: DhcpPacket, facts: ReplyFacts): Decision {
  const { messageType } = request.options;
  if (messageType !== MESSAGE.request && messageType !== MESSAGE.inform) {
    return ignore(`port 4011 answers REQUEST and INFORM, not message type ${messageType}`);
  }
  if (!AT_BOOT_SERVER.has(facts.client.kind)) return ignore("port 4011 answers PXE clients only");
  const boot = bootPart(request, facts, "boot-server");
  if (boot.kind !== "boot") return ignore(boot.reason, { events: bootEvents(request, facts, boot) });
  const { clientIp } = request;
  const offered = eventOf(request, "dhcp-proxy-offer", boot.file === undefined ? {} : { file: boot.file });
  const fields = { ...boot.fields, clientIp, yourIp: clientIp };
  return makeReply(
    request,
    facts,
    fields,
    { messageType: MESSAGE.ack, ...boot.options },
    {
      events: [...bootEvents(request, facts, boot), offered],
    },
  );
}
