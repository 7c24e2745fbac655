// What this machine is: board, firmware, processor, memory, disks, network. The only door to /sys and /proc for facts
// (read-*.ts are its hands). Edge: reads the machine, changes nothing. main.ts calls it at start and once a minute.
import type { Facts, Neighbour } from "../server/contract/generated/agent.ts";
import { readDisks, type SeenContents } from "./read-disks.ts";
import { type AddressesOf, readNics } from "./read-nics.ts";
import { exists, type Root, readText } from "./read-sysfs.ts";

const ARCHES: Record<string, string> = { x64: "amd64", arm64: "arm64" };

export type Observer = Root & {
  /** Node's name for the processor. */
  arch: string;
  addressesOf?: AddressesOf;
  seenContents?: SeenContents;
};

/** The machine that this process runs on. */
export const THIS_MACHINE: Observer = { root: "/", arch: process.arch, seenContents: new Map() };

/**
 * Observes the machine.
 * @param neighbours as lldp-socket.ts collected them so far.
 */
export function observeNode(from: Observer, neighbours: readonly Neighbour[] = []): Facts {
  return {
    arch: ARCHES[from.arch] ?? from.arch,
    firmware: firmwareOf(from),
    ...boardOf(from),
    ...processorOf(from),
    memoryBytes: memoryOf(from),
    kernel: readText(from, "proc/sys/kernel/osrelease"),
    osVersion: osVersionOf(from),
    disks: readDisks(from, from.seenContents),
    nics: readNics(from, from.addressesOf),
    neighbours: [...neighbours],
  };
}

/** The kernel's name for this boot. */
export const readBootId = (from: Root): string => readText(from, "proc/sys/kernel/random/boot_id");

function firmwareOf(from: Root): string {
  if (exists(from, "sys/firmware/efi")) return "uefi";
  return exists(from, "sys/firmware/devicetree/base") ? "other" : "bios";
}

/** DMI, or the device tree's two names where there is none (a Raspberry Pi). Placeholders are left to the appliance. */
function boardOf(from: Root): Pick<Facts, "vendor" | "product" | "serial" | "uuid" | "firmwareVersion"> {
  const dmi = (name: string) => readText(from, `sys/class/dmi/id/${name}`);
  const tree = (name: string) => readText(from, `sys/firmware/devicetree/base/${name}`);
  return {
    vendor: dmi("sys_vendor"),
    product: dmi("product_name") || tree("model"),
    serial: dmi("product_serial") || tree("serial-number"),
    uuid: dmi("product_uuid").toLowerCase(),
    firmwareVersion: [dmi("bios_vendor"), dmi("bios_version")].filter((part) => part !== "").join(" "),
  };
}

function processorOf(from: Root): Pick<Facts, "cpuModel" | "cpuCount"> {
  const lines = readText(from, "proc/cpuinfo").split("\n");
  const value = (key: string) => lines.find((line) => line.startsWith(`${key}\t`))?.split(": ")[1];
  return {
    cpuModel: value("model name")?.replace(/\s+/g, " ") ?? "",
    cpuCount: lines.filter((line) => /^processor\t/.test(line)).length,
  };
}

function memoryOf(from: Root): bigint {
  const kibibytes = /^MemTotal:\s+(\d+) kB/m.exec(readText(from, "proc/meminfo"))?.[1] ?? "0";
  return BigInt(kibibytes) * 1024n;
}

function osVersionOf(from: Root): string {
  const fields = readText(from, "etc/os-release");
  return (/^PRETTY_NAME="?([^"\n]*)"?$/m.exec(fields)?.[1] ?? "").slice(0, 100);
}
