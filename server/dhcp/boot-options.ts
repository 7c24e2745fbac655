// The boot part of a reply: which fields and options carry the boot file to which kind of client (pxe.md 2.4–2.9, 3.2). What
// the file is has been decided in server/boot. docs/dhcp.md has this as a table. Pure.
import type { ClientKind } from "../boot/client.ts";
import type { ReplyFacts } from "./facts.ts";
import type { DhcpOptions } from "./options.ts";
import { type DhcpPacket, fitsField } from "./packet.ts";
import { PI_VENDOR_OPTIONS } from "./raspberry-pi.ts";
import { collectSubOptions } from "./relay.ts";
import { isSendable } from "./reply-options.ts";

/** `none`: nothing is wrong, there is just nothing to say. `no-loader`: people should see why it cannot boot. */
export type BootPart =
  | {
      kind: "boot";
      fields: Pick<DhcpPacket, "nextServerIp"> & Partial<DhcpPacket>;
      options: DhcpOptions;
      file?: string;
    }
  | { kind: "no-loader"; reason: string }
  | { kind: "none"; reason: string };

/** Our part in the conversation: the lease's own server, a proxy beside it, or the boot server on port 4011. */
export type Part = "server" | "proxy" | "boot-server";

/** Discovery control 8: "use the boot file in this packet". Other bits beside it make Intel ROMs ignore the offer. */
const USE_THIS_FILE = Uint8Array.of(6, 1, 8, 255);
/** iPXE's no-pxedhcp: do not wait two seconds for proxy offers (performance.md §6). */
const NO_PROXY_WAIT = Uint8Array.of(0xb0, 1, 1);
/** More fetches than this within the guard's window are a loop (pxe.md 2.9). */
export const LOOP_FETCHES = 3;
const BOOT_ITEM = 71;

type Profile = (request: DhcpPacket, part: Part) => DhcpOptions;

/** What says "this is for you" to each booting kind. 77 is never sent: iPXE would take it for its own. */
const PROFILES: Partial<Record<ClientKind, Profile>> = {
  pxe: (request, part) => ({ vendorClass: "PXEClient", ...pxeVendorOptions(request, part) }),
  // In a lease's offer iPXE needs neither 60 nor 43, and would repeat the 60 later (ipxe #1527).
  ipxe: (request, part) =>
    part === "server" ? { ipxe: NO_PROXY_WAIT } : { vendorClass: "PXEClient", ...pxeVendorOptions(request, part) },
  "raspberry-pi": () => ({ vendorClass: "PXEClient", vendorOptions: PI_VENDOR_OPTIONS }),
  http: () => ({ vendorClass: "HTTPClient" }),
  uboot: () => ({}),
};

/** Option 43 for PXE: without it EDK2 goes on to port 4011, where only the item that it asked for is answered. */
function pxeVendorOptions(request: DhcpPacket, part: Part): DhcpOptions {
  if (part !== "boot-server") return { vendorOptions: USE_THIS_FILE };
  const asked = request.options.vendorOptions;
  const item = asked && collectSubOptions(asked, 255).get(BOOT_ITEM)?.[0];
  return item?.length === 4 ? { vendorOptions: Uint8Array.of(BOOT_ITEM, 4, ...item, 255) } : {};
}

/** The boot part for a client, by the decisions in the facts. */
export function bootPart(request: DhcpPacket, facts: ReplyFacts, part: Part): BootPart {
  const { client, boot, bootFile, serverIp } = facts;
  const profile = PROFILES[client.kind];
  if (profile === undefined) return { kind: "none", reason: "it does not ask to boot from the network" };
  if (boot.kind === "ignore") return { kind: "none", reason: `it gets no boot data: ${boot.reason}` };
  if (bootFile.kind === "none") return { kind: "no-loader", reason: bootFile.reason };
  const file = isLooping(facts) ? loopFile(facts) : bootFile.kind === "pi" ? undefined : bootFile.file;
  const { clientUuid } = request.options;
  return {
    kind: "boot",
    // `file` cannot hold longer names; then only 67 can (pxe.md 2.4).
    fields: { nextServerIp: serverIp, bootFile: file !== undefined && fitsField(file, 128) ? file : "" },
    options: {
      ...profile(request, part),
      ...(isSendable(clientUuid) && { clientUuid }),
      tftpServerName: serverIp,
      ...(file !== undefined && { bootFileName: file }),
    },
    ...(file !== undefined && { file }),
  };
}

/** An iPXE that fetches iPXE again and again would never end. */
export const isLooping = (facts: ReplyFacts): boolean =>
  facts.client.kind === "ipxe" && facts.loaderFetches > LOOP_FETCHES;

/** The script that says so: by TFTP to an iPXE that has nothing else. */
const loopFile = ({ client, serverIp, httpPort, loopPath }: ReplyFacts): string =>
  client.hasHttp === false ? loopPath : `http://${serverIp}:${httpPort}/${loopPath}`;
