// identifyClient: what a client is, from its packet, in the order of pxe.md 2.1. socket.ts calls it before it asks the
// inventory; the loader, the boot decision and the reply are chosen by its result. Pure.
import type { Mac } from "../../inventory/address.ts";
import { trustworthyUuid } from "../../inventory/uuid.ts";
import type { BootClient, ClientKind } from "../boot/client.ts";
import { decodeLatin1 } from "../byte-reader.ts";
import { architectureOf } from "./architectures.ts";
import type { ClientKey } from "./lease-change.ts";
import { formatHex } from "./option-codecs.ts";
import type { DhcpPacket } from "./packet.ts";
import { recognisePi } from "./raspberry-pi.ts";
import { collectSubOptions } from "./relay.ts";

/** The MAC of an Ethernet client; undefined for other hardware, or when no address was sent (InfiniBand). */
export function clientMac(packet: DhcpPacket): Mac | undefined {
  if (packet.hardwareType !== 1 || packet.hardwareLength !== 6) return undefined;
  return formatHex(packet.hardwareAddress.subarray(0, 6), ":");
}

/**
 * Who the client is to the lease book: its hardware address whenever it sent one. Option 61 changes between ROM, iPXE,
 * initramfs and OS of one machine and would cost two to four addresses per boot (pxe.md 1.11), so it counts only when
 * there is nothing else.
 *
 * @returns undefined when the packet names nobody.
 */
export function clientKey(packet: DhcpPacket): ClientKey | undefined {
  const length = packet.hardwareLength;
  const address = packet.hardwareAddress.subarray(0, length);
  if (address.some((byte) => byte !== 0)) return formatHex(address, ":");
  const id = packet.options.clientId;
  return id !== undefined && id.length >= 2 ? `id-${formatHex(id)}` : undefined;
}

/**
 * Classifies a client.
 *
 * @param remembered what this machine said it was in the DISCOVER before ({@link LeaseBook.rememberedClient}): the REQUEST
 *   of old Pi 4 EEPROMs does not say it again.
 */
export function identifyClient(packet: DhcpPacket, remembered?: BootClient): BootClient {
  const { vendorClass = "", clientArch } = packet.options;
  const code = clientArch?.[0];
  const ipxe = recogniseIpxe(packet);
  // HTTPClient comes first in pxe.md 2.1; but iPXE repeats the vendor class that an earlier answer told it (ipxe #1527), and
  // an iPXE that was loaded by HTTP Boot must not be given itself again. Firmware's HTTP Boot never sends 77 or 175.
  if (ipxe !== undefined) return { ...base("ipxe", packet, code), ...ipxe };
  if (vendorClass.startsWith("HTTPClient")) return base("http", packet, code ?? archInVendorClass(vendorClass));
  if (vendorClass.startsWith("U-Boot") || (code !== undefined && code >= 21 && code <= 24)) return ubootClient(packet);
  const pi = recognisePi(packet) ?? rememberedPi(packet, remembered);
  if (pi !== undefined)
    return { kind: "raspberry-pi", platform: "raspberry-pi", arch: "arm64", ...archCode(code), ...pi };
  if (vendorClass.startsWith("PXEClient")) return base("pxe", packet, code);
  const kind = vendorClass.startsWith("AAPLBSDPC") ? "apple" : "plain";
  return { kind, platform: "other", arch: "other", ...archCode(code), ...identity(packet) };
}

const base = (kind: ClientKind, packet: DhcpPacket, code: number | undefined): BootClient => ({
  kind,
  ...architectureOf(code),
  ...archCode(code),
  ...identity(packet),
});

const archCode = (code: number | undefined) => (code === undefined ? {} : { archCode: code });

/** U-Boot says which one it is in 93, or by its vendor class only ("U-Boot.armv8"). */
function ubootClient(packet: DhcpPacket): BootClient {
  const code = packet.options.clientArch?.[0];
  const is64 = code === undefined || code === 0xffff ? packet.options.vendorClass === "U-Boot.armv8" : false;
  const known = architectureOf(code ?? 0xffff);
  const arch = is64 ? "arm64" : known.arch;
  return { kind: "uboot", platform: "uboot", arch, ...archCode(code), ...identity(packet) };
}

/** "HTTPClient:Arch:00016:UNDI:003001": digits 17 to 21 (UEFI 2.11 24.7). */
function archInVendorClass(vendorClass: string): number | undefined {
  const digits = vendorClass.slice(16, 21);
  return /^\d{5}$/.test(digits) ? Number(digits) : undefined;
}

/** A REQUEST that says nothing of itself, from a machine whose DISCOVER was a Pi's. */
function rememberedPi(packet: DhcpPacket, remembered: BootClient | undefined): { model?: string } | undefined {
  const { vendorClass, clientArch } = packet.options;
  if (remembered?.kind !== "raspberry-pi" || vendorClass !== undefined || clientArch !== undefined) return undefined;
  return remembered.model === undefined ? {} : { model: remembered.model };
}

/** Features in option 175 (iPXE's src/include/ipxe/features.h). */
const FEATURE_HTTP = 0x13;
const FEATURE_BZIMAGE = 0x18;

/**
 * iPXE by user class (bare, or counted as RFC 3004 has it: both hold the text) or by option 175, which Mellanox FlexBoot
 * sends without a user class (warewulf3 #104).
 *
 * @returns `hasHttp` false for builds too small to boot our OS (VirtualBox, FlexBoot, old undionly, gPXE): they are given
 *   a full iPXE, once. A BIOS build that cannot start a kernel counts as such too. Not set when 175 does not say.
 */
function recogniseIpxe(packet: DhcpPacket): { hasHttp?: boolean } | undefined {
  const { userClass, ipxe, clientArch } = packet.options;
  const text = userClass === undefined ? "" : decodeLatin1(userClass);
  const isOld = text.includes("gPXE");
  if (ipxe === undefined && !isOld && !text.includes("iPXE")) return undefined;
  if (ipxe === undefined) return isOld ? { hasHttp: false } : {};
  const has = collectSubOptions(ipxe);
  const isBios = architectureOf(clientArch?.[0]).platform === "bios";
  return { hasHttp: has.has(FEATURE_HTTP) && (!isBios || has.has(FEATURE_BZIMAGE)) };
}

/** Option 97 as an identity: type 0 and a UUID that boards do not share. A Pi's is no UUID. */
function identity(packet: DhcpPacket): { uuid?: string } {
  const bytes = packet.options.clientUuid;
  if (bytes?.length !== 17 || bytes[0] !== 0) return {};
  const uuid = trustworthyUuid(formatHex(bytes.subarray(1)))?.replaceAll("-", "");
  return uuid === undefined ? {} : { uuid };
}

const KIND_WORDS: Record<ClientKind, string> = {
  http: "HTTP Boot",
  ipxe: "iPXE",
  uboot: "U-Boot",
  "raspberry-pi": "Raspberry Pi",
  pxe: "PXE",
  apple: "Apple BSDP",
  plain: "plain DHCP",
};

/** A client in words for the timeline: `PXE, uefi x86_64`. */
export function describeClient(client: BootClient): string {
  const word = KIND_WORDS[client.kind];
  if (client.kind === "raspberry-pi") return client.model === undefined ? word : `${word}, ${client.model}`;
  return client.platform === "other" ? word : `${word}, ${client.platform} ${client.arch}`;
}
