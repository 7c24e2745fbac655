// A lab machine's QEMU command line: one row per firmware, so that what differs between them is seen at a glance.
// Pure. Called by vm.ts. docs/lab.md tells what was tried.

export type Firmware = "bios" | "uefi" | "uefi-http" | "arm64";

/** `kvm` only where a probe showed that it really runs firmware (accelerator.ts). */
export type Accelerator = "tcg" | "kvm";

export type VmFiles = {
  /** The console's output. */
  consoleFile: string;
  /** The machine's own copy of the firmware's variables; unused by BIOS. */
  varsFile: string;
  /** QEMU's control socket; a path of at most 107 bytes. */
  controlSocket: string;
};

export type VmSettings = {
  firmware: Firmware;
  /** 52:54:00:…, QEMU's own range. */
  mac: string;
  /** Name of the tap on the lab's bridge. */
  tap: string;
  /** Default 2048: Slipway OS unpacks its root into memory. */
  memoryMiB?: number;
  /** Raw disk image. */
  disk?: string;
  /**
   * Who says what is booted first. `lab` (default): the network, then the disk, by QEMU's `bootindex`, from which OVMF writes
   * its BootOrder anew at every power-on. `firmware`: the firmware's own variables, which {@link VmSettings.varsFile} keeps; a
   * BIOS machine, which has none, then begins with its disk. `network`: the same for a BIOS machine that is to begin with the
   * network; on UEFI that is a matter of the variables.
   */
  order?: "lab" | "firmware" | "network";
  /** Firmware variables that outlive the power; default: fresh ones at each power-on. */
  varsFile?: string;
  /** Default: the emulator. */
  accelerator?: Accelerator;
  /** What the machine's clock says at power-on: `1970-01-01T00:00:10`. Default: the right time. */
  clock?: string;
};

type FirmwareRow = {
  program: string;
  machine: readonly string[];
  /** Flash images: code, and the template of the variables. */
  flash?: { code: string; vars: string };
  /** QEMU's NIC ROM is iPXE; without it UEFI uses its own network stack. */
  nicRom: "default" | "none";
  extra: readonly string[];
};

const OVMF = { code: "/usr/share/OVMF/OVMF_CODE_4M.fd", vars: "/usr/share/OVMF/OVMF_VARS_4M.fd" };
const AAVMF = { code: "/usr/share/AAVMF/AAVMF_CODE.fd", vars: "/usr/share/AAVMF/AAVMF_VARS.fd" };
/** OVMF reads these itself: with PXE off, its first way to the network is HTTP Boot. */
const withoutPxe = ["4", "6"].flatMap((v) => ["-fw_cfg", `name=opt/org.tianocore/IPv${v}PXESupport,string=n`]);

/** The debian package of each file is in setup/packages.mjs, purpose `lab`. */
export const FIRMWARES: Record<Firmware, FirmwareRow> = {
  bios: {
    program: "qemu-system-x86_64",
    // graphics=off makes SeaBIOS, and whatever prints through it, use the serial port too.
    machine: ["-machine", "q35,graphics=off"],
    nicRom: "default",
    extra: [],
  },
  uefi: { program: "qemu-system-x86_64", machine: ["-machine", "q35"], flash: OVMF, nicRom: "none", extra: [] },
  "uefi-http": {
    program: "qemu-system-x86_64",
    machine: ["-machine", "q35"],
    flash: OVMF,
    nicRom: "none",
    extra: withoutPxe,
  },
  arm64: {
    program: "qemu-system-aarch64",
    machine: ["-machine", "virt", "-cpu", "cortex-a57"],
    flash: AAVMF,
    nicRom: "none",
    extra: [],
  },
};

/** Program and arguments that power the machine on. */
export function qemuCommand(vm: VmSettings, files: VmFiles): string[] {
  const row = FIRMWARES[vm.firmware];
  const index = (n: number) => ((vm.order ?? "lab") === "lab" ? `,bootindex=${n}` : "");
  return [
    row.program,
    ...[...acceleratorArguments(vm), ...row.machine, "-smp", "1", "-m", String(vm.memoryMiB ?? 2048)],
    ...identityArguments(vm.mac),
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", `file:${files.consoleFile}`],
    ...["-qmp", `unix:${files.controlSocket},server=on,wait=off`],
    ...(row.flash ? flashArguments(row.flash.code, files.varsFile) : []),
    ...["-netdev", `tap,id=net0,ifname=${vm.tap},script=no,downscript=no`],
    ...["-device", `virtio-net-pci,netdev=net0,mac=${vm.mac}${index(1)}${row.nicRom === "none" ? ",romfile=" : ""}`],
    // Without entropy iPXE waits four seconds for timer ticks (docs/lab.md); real machines have some.
    ...["-device", "virtio-rng-pci"],
    ...(vm.disk ? diskArguments(vm.disk, index(2)) : []),
    ...(vm.order === "network" && row.flash === undefined ? ["-boot", "order=nc"] : []),
    ...(vm.clock ? ["-rtc", `base=${vm.clock}`] : []),
    ...row.extra,
  ];
}

/** What a maker writes into a machine: the same at every power-on of the same MAC. */
function identityArguments(mac: string): string[] {
  const hex = mac.replaceAll(":", "");
  const smbios = `type=1,manufacturer=Slipway,product=Lab machine,serial=LAB-${hex.toUpperCase()}`;
  return ["-uuid", `5e1f0a7e-51ab-4c0d-8a3e-${hex}`, "-smbios", smbios];
}

const flashArguments = (code: string, vars: string) => [
  ...["-drive", `if=pflash,format=raw,readonly=on,file=${code}`],
  ...["-drive", `if=pflash,format=raw,file=${vars}`],
];

/**
 * All that the emulator knows, so that Go's cryptography runs on AES and carry-less multiplication instead of tables; without
 * what makes Linux slow there: `rep stosb` for each page that is cleared (ERMS, FSRM), and a fifth level of page tables.
 */
const EMULATED_X86 = "max,-erms,-fsrm,-la57";

/** The host's processor can only be had where it is of the machine's kind. */
function acceleratorArguments({ accelerator = "tcg", firmware }: VmSettings): string[] {
  // Kubernetes' programs do not fit into the standard cache of translated code, and would be translated again and again.
  if (firmware === "arm64") return ["-accel", "tcg,tb-size=512"];
  return accelerator === "kvm"
    ? ["-accel", "kvm", "-cpu", "host"]
    : ["-accel", "tcg,tb-size=512", "-cpu", EMULATED_X86];
}

const diskArguments = (file: string, index: string) => [
  ...["-drive", `if=none,id=disk0,format=raw,file=${file}`],
  ...["-device", `virtio-blk-pci,drive=disk0${index},serial=lab-disk`],
];
