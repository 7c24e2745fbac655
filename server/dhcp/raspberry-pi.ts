// Telling a Raspberry Pi's boot ROM or EEPROM from an x86 BIOS: both say architecture 0 (rpi-eeprom #182), and a Pi that
// runs UEFI, U-Boot or iPXE has the same MAC prefix (vector edk2-pxe-aa64-discover). And its option 43. Pure.
import { decodeLatin1 } from "../byte-reader.ts";
import { concatBytes, encodeLatin1, formatHex } from "./option-codecs.ts";
import type { DhcpPacket } from "./packet.ts";

/** What every Pi's firmware calls itself, since the first one. */
const VENDOR_CLASS = "PXEClient:Arch:00000:UNDI:002001";
/** All Pi 3 ROMs use this one xid, at the same time on the same network. */
const PI3_XID = 0x26f30339;
const PI3_OUI = "b827eb";
const OUIS = new Set([PI3_OUI, "dca632", "e45f01", "d83add", "2ccf67", "28cdc1"]);

/** `model` of the ones that never send a REQUEST: the boot code in the SoC's ROM. */
export const OLD_PI = "Pi 3 or older";
/** They miss replies that come right after the link is up (firmware #934); each of their five tries is answered so. */
export const OLD_PI_DELAY_MS = 1000;

/** Whether the packet is a Pi's own firmware, and which model; undefined when it is not. Needs no remembered state. */
export function recognisePi(request: DhcpPacket): { model?: string } | undefined {
  const { vendorClass, clientArch, clientUuid } = request.options;
  if (clientArch !== undefined && clientArch[0] !== 0) return undefined;
  const model = clientUuid && modelOf(clientUuid);
  // EEPROMs of 2019 send a REQUEST without option 60 (rpi-eeprom #87): 97 with its magic says enough, and so does the
  // Pi 3's one xid beside a serial (vector rpi3-bootcode-discover-tcpdump-proxy). A MAC alone is any OS on a Pi.
  if (vendorClass === undefined) {
    if (model !== undefined) return { model };
    return request.xid === PI3_XID && clientUuid !== undefined ? { model: OLD_PI } : undefined;
  }
  if (vendorClass !== VENDOR_CLASS) return undefined;
  if (model !== undefined) return { model };
  const oui = formatHex(request.hardwareAddress.subarray(0, 3));
  if (request.xid === PI3_XID || oui === PI3_OUI) return { model: OLD_PI };
  // DHCP_OPTION97=0 in the EEPROM's settings: the serial four times (vector rpi4-discover-serial-option97).
  return OUIS.has(oui) || (clientUuid !== undefined && isRepeatedSerial(clientUuid)) ? {} : undefined;
}

/** "RPi4", "RPi5" … out of option 97: 00 "RPi4" revision MAC serial; "4iPR" has been seen too. */
function modelOf(clientUuid: Uint8Array): string | undefined {
  if (clientUuid.length !== 17) return undefined;
  const magic = decodeLatin1(clientUuid.subarray(1, 5));
  if (/^RPi[0-9]$/.test(magic)) return magic;
  return /^[0-9]iPR$/.test(magic) ? `RPi${magic[0]}` : undefined;
}

function isRepeatedSerial(clientUuid: Uint8Array): boolean {
  const hex = formatHex(clientUuid.subarray(1));
  const isOneByte = hex === hex.slice(0, 2).repeat(16);
  return clientUuid.length === 17 && !isOneByte && hex === hex.slice(0, 8).repeat(4);
}

/**
 * Option 43 for every Pi: discovery control 3, the prompt "PXE", and the menu text that the ROM looks for. The three
 * spaces are for the Pi 3B ROM, which wants 20 characters; the others search for the words (pxe.md 3.2).
 */
export const PI_VENDOR_OPTIONS: Uint8Array = concatBytes([
  Uint8Array.of(6, 1, 3, 10, 4, 0),
  encodeLatin1("PXE"),
  Uint8Array.of(9, 0x17, 0, 0, 0x14),
  encodeLatin1("Raspberry Pi Boot   "),
  Uint8Array.of(255),
]);
