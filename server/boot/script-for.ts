// Decision + image → the script iPXE gets. Pure.
import type { Machine } from "../../inventory/machine.ts";
import type { Script } from "../../ipxe/script.ts";
import type { BootDecision } from "./decide.ts";
import { ENTRY_PATH, imagePath, ticketPath } from "./paths.ts";

/** What iPXE said of itself and its machine in the script request. */
export type ScriptRequest = { mac: string; arch: string; platform: string; chip?: string };

/** An OS image that can be netbooted. */
export type BootImage = { id: string; name: string; version: string; arch: string; cmdline: string };

/**
 * iPXE's name of an architecture → the image's. i386 stands for a processor without long mode. Without a prototype, because
 * the name comes from the wire, and `constructor` must be as unknown as any other.
 */
export const IMAGE_ARCH: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  x86_64: "amd64",
  arm64: "arm64",
});

/** How this build of iPXE leaves for the disk; undionly shows itself by its driver's name. */
export function leaveVia(request: ScriptRequest): "uefi" | "bios-rom" | "bios-undionly" {
  if (request.platform === "efi") return "uefi";
  return request.chip === "undionly" ? "bios-undionly" : "bios-rom";
}

/**
 * The script for a machine.
 *
 * @param base `http://ip:port` of the appliance as this machine reaches it.
 * @param image undefined when there is none for the machine's architecture.
 * @param attemptId names the ticket of this attempt; only `os` scripts use it.
 */
export function scriptFor(
  request: ScriptRequest,
  machine: Machine,
  decision: BootDecision,
  image: BootImage | undefined,
  base: string,
  attemptId: string,
): Script {
  const retryUrl = base + ENTRY_PATH;
  if (decision.kind !== "os") return { kind: "disk", reason: decision.reason, via: leaveVia(request) };
  if (image === undefined) return { kind: "explain", retryUrl, seconds: 30, ...missingImage(request.arch) };
  const who = machine.name === undefined ? request.mac : `${machine.name} (${request.mac})`;
  return {
    kind: "os",
    title: `${who} loads ${image.name} ${image.version} (${image.arch}): ${decision.reason}`,
    kernelUrl: base + imagePath(image.id, "kernel"),
    initrdUrl: base + imagePath(image.id, "initrd"),
    ticketUrl: base + ticketPath(attemptId),
    cmdline: image.cmdline,
    retryUrl,
  };
}

const missingImage = (arch: string) =>
  IMAGE_ARCH[arch] === undefined
    ? {
        reason: `Slipway OS does not run on this processor (${arch})`,
        remedy: "It needs a 64-bit x86 or ARM processor.",
      }
    : {
        reason: `there is no Slipway OS image for ${IMAGE_ARCH[arch]} on the appliance`,
        remedy: "On the appliance, run: npm run assets",
      };
