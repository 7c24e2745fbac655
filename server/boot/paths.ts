// Every path under which a machine may fetch something, by TFTP or HTTP: one table, so that what DHCP advertises, what
// scripts name and what the routes serve cannot differ. docs/ports-and-endpoints.md lists them. Pure.
import type { Mac } from "../../inventory/address.ts";

/** Loaders that are served; `file` is the name in Debian's `ipxe` package, `dir` the directory under /ipxe/. */
export const LOADERS = {
  bios: { dir: "bios", file: "undionly.kpxe" },
  "uefi-x86_64": { dir: "x86_64", file: "snponly.efi" },
  "uefi-arm64": { dir: "arm64", file: "ipxe-arm64.efi" },
} as const;
export type LoaderName = keyof typeof LOADERS;

/** Served beside every iPXE binary: no banner, no second DHCP (performance.md §6). */
export const AUTOEXEC = "autoexec.ipxe";
/** First script of an iPXE that came by DHCP; it asks for {@link SCRIPT_PATH} with what it knows of its machine. */
export const ENTRY_PATH = "/boot/entry.ipxe";
export const SCRIPT_PATH = "/boot/script";

/** Path of a loader without leading slash: a TFTP name; with one it is the HTTP path. */
export const loaderPath = (name: LoaderName): string => `ipxe/${LOADERS[name].dir}/${LOADERS[name].file}`;
/** Firmware HTTP Boot gets a path of its own per machine, so that "go on to your disk" can be a 404. */
export const httpLoaderPath = (name: LoaderName, mac: Mac): string =>
  `/ipxe-http/${mac.replaceAll(":", "-")}/${LOADERS[name].dir}/${LOADERS[name].file}`;
/** Told instead of a loader to an iPXE that fetches iPXE again and again (pxe.md 2.9); by TFTP without the slash. */
export const LOOP_PATH = "/boot/loop.ipxe";
/** The ticket of a boot attempt. The id is no secret; the fetch is bound to the source address. */
export const ticketPath = (id: string): string => `/boot/ticket/${id}`;
/** A part of an OS image: `kernel` or `initrd`, byte ranges of its UKI; or `uki` whole. */
export type ImagePart = "kernel" | "initrd" | "uki";
export const imagePath = (imageId: string, part: ImagePart): string => imageFilePath(imageId, part);
/**
 * All that an image is delivered as. An installer asks for the manifest and the owner's signature over its exact bytes first,
 * then for what the manifest lists: the UKI, systemd-boot (`loader`), and GRUB's two parts where a machine has a BIOS.
 */
export type ImageFile = ImagePart | "manifest.json" | "manifest.sig" | "loader" | "grub-core" | "grub-boot";
/** What an installer is told: all files of the image lie below it. */
export const imageFolder = (imageId: string): string => `/image/${imageId}/`;
export const imageFilePath = (imageId: string, file: ImageFile): string => `${imageFolder(imageId)}${file}`;
