// What a network-booting client is, as far as its packets tell: the vocabulary that DHCP, TFTP, HTTP and the boot decision
// share. server/dhcp/client.ts makes it from a packet, http/boot-routes from a URL. Pure.

/** Families of client, in the order in which pxe.md 2.1 tells them apart. */
export type ClientKind = "http" | "ipxe" | "uboot" | "raspberry-pi" | "pxe" | "apple" | "plain";

/** Firmware of a client: what a loader must be built for. */
export type Platform = "bios" | "uefi" | "uboot" | "raspberry-pi" | "other";
export type Arch = "i386" | "x86_64" | "arm32" | "arm64" | "riscv64" | "loong64" | "other";

export type BootClient = {
  kind: ClientKind;
  platform: Platform;
  arch: Arch;
  /** First value of option 93 as sent (IANA "Processor Architecture Types"), undefined when absent. */
  archCode?: number;
  /** iPXE only: it can fetch http:// URLs. */
  hasHttp?: boolean;
  /** Raspberry Pi only: `RPi4`, `RPi5`, `Pi 3 or older` … as far as known. */
  model?: string;
  /** Option 97 as 32 hex digits when it can serve as an identity (junk values are left out; pxe.md 1.11). */
  uuid?: string;
};

/** The client kinds that take part in network booting; the others get silence from a proxy. */
export const BOOTING_KINDS: ReadonlySet<ClientKind> = new Set(["http", "ipxe", "uboot", "raspberry-pi", "pxe"]);
