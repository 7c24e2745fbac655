// A virtual machine with a disk and firmware variables of its own, which outlive its power: it can be installed, cut off in
// the middle, switched on again. Carries no `bootindex`: what it boots is its firmware's business. Called by rack.ts.
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabMachine } from "./machine.ts";
import type { VmSettings } from "./qemu-arguments.ts";
import { openScratchFolder } from "./scratch-folder.ts";
import type { Vm } from "./vm.ts";

export type KeptVmSettings = Omit<VmSettings, "tap" | "disk" | "varsFile"> & {
  /** Default 12 GiB; sparse, it takes no room until it is written. */
  diskBytes?: number;
};

export type KeptVm = LabMachine & {
  readonly kind: "vm";
  readonly diskFile: string;
  /** The UEFI firmware's variables; absent for BIOS and before the first power-on. */
  readonly varsFile: string;
  /** The running machine; undefined while it is off. */
  vm(): Vm | undefined;
  /** From the next power-on on. */
  change(settings: Partial<Pick<VmSettings, "clock" | "order" | "memoryMiB">>): void;
  /** All that its consoles showed, over all power-ons. */
  console(): string;
};

const DISK_BYTES = 12 * 2 ** 30;
const SHUTS_DOWN_WITHIN_MS = 60_000;

/** @param start powers a machine on, on a tap of the rack's. */
export function makeKeptVm(
  settings: KeptVmSettings,
  start: (settings: Omit<VmSettings, "tap">) => Promise<Vm>,
): KeptVm {
  const { path: dir, remove } = openScratchFolder();
  const { diskBytes = DISK_BYTES, ...rest } = settings;
  const diskFile = join(dir, "disk.img");
  writeFileSync(diskFile, "", { mode: 0o600 });
  truncateSync(diskFile, diskBytes);
  const files = { disk: diskFile, varsFile: join(dir, "vars") };
  let wanted: Omit<VmSettings, "tap"> = { order: "firmware", ...rest, ...files };
  let vm: Vm | undefined;
  let poweredOnAt = 0;
  const earlier: string[] = [];
  const isOn = () => vm?.isOn() ?? false;
  const kill = async () => {
    await vm?.powerOff();
    if (vm !== undefined) earlier.push(vm.console());
    vm = undefined;
  };
  const console = () => [...earlier, ...(vm === undefined ? [] : [vm.console()])].join("\n--- power-on ---\n");
  return {
    ...{ kind: "vm", mac: settings.mac, diskFile, varsFile: files.varsFile, isOn, kill, console },
    get poweredOnAt() {
      return poweredOnAt;
    },
    vm: () => vm,
    change: (over) => {
      wanted = { ...wanted, ...over };
    },
    powerOn: async () => {
      if (isOn()) return;
      await kill();
      vm = await start(wanted);
      poweredOnAt = vm.poweredOnAt;
    },
    powerOff: async () => {
      await vm?.pressPowerButton(SHUTS_DOWN_WITHIN_MS);
      await kill();
    },
    lastWords: () => console().split("\n").slice(-40).join("\n"),
    close: async () => {
      await kill();
      remove();
    },
  };
}
