// Firmware → loader: what a client of a kind is given as its boot file. Pure.
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { BootClient } from "./client.ts";
import { ENTRY_PATH, httpLoaderPath, type LoaderName, loaderPath } from "./paths.ts";

/** `file` goes into `file`/67; `none` is an outcome with a reason that people see. */
export type BootFile =
  | { kind: "tftp"; file: string }
  | { kind: "url"; file: string }
  | { kind: "pi" }
  | { kind: "none"; reason: string };

/** Firmware and architecture → loader. What is not here has no loader (pxe.md 2.2). */
const LOADER_OF: Record<string, LoaderName> = {
  "bios i386": "bios",
  "bios x86_64": "bios",
  "uefi x86_64": "uefi-x86_64",
  "uefi arm64": "uefi-arm64",
};

/** The loader a client can run, or undefined. */
export const loaderFor = (client: BootClient): LoaderName | undefined => LOADER_OF[`${client.platform} ${client.arch}`];

/**
 * Chooses what a booting client is told to load.
 *
 * @param at own address on the client's interface and the HTTP port; URLs carry IP literals only (ipxe #1316).
 * @returns `tftp`: a path for siaddr + file; `url`: an absolute URI; `pi`: the Raspberry Pi form without a file name.
 */
export function chooseBootFile(client: BootClient, mac: Mac, at: { ip: Ipv4; httpPort: number }): BootFile {
  const base = `http://${at.ip}:${at.httpPort}`;
  if (client.kind === "raspberry-pi") return { kind: "pi" };
  if (client.kind === "ipxe" && client.hasHttp !== false) return { kind: "url", file: base + ENTRY_PATH };
  const loader = loaderFor(client);
  if (client.kind === "uboot")
    return none(client, "U-Boot needs a PXELINUX-style tree, which this version does not serve");
  if (loader === undefined) return none(client, "there is no loader or OS for this kind of machine");
  // An iPXE without HTTP (VirtualBox, FlexBoot, old undionly) is given a full one, once: reply.ts guards the loop.
  if (client.kind === "http") return { kind: "url", file: base + httpLoaderPath(loader, mac) };
  return { kind: "tftp", file: loaderPath(loader) };
}

const none = (client: BootClient, why: string): BootFile => ({
  kind: "none",
  reason: `${client.platform} ${client.arch}${client.archCode === undefined ? "" : ` (code ${client.archCode})`}: ${why}`,
});
