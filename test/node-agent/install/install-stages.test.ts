// stagesOf: what people follow. Every operation of the plan is in it once, in the plan's order, whatever it is called.
import { describe, expect, test } from "vitest";
import { opsOf } from "../../../node-agent/install/disk-ops.ts";
import { type Stage, stagesOf } from "../../../node-agent/install/install-stages.ts";
import type { InstallTarget, Step } from "../../../node-agent/install/install-step.ts";
import type { Firmware } from "../../../node-agent/install/layout.ts";
import { planInstall } from "../../../node-agent/install/plan-install.ts";
import { planReset } from "../../../node-agent/install/plan-reset.ts";
import { GIB, GUIDS } from "./disk.ts";
import { MachineModel, sizedOf } from "./machine-model.ts";

const HOLDER = { owner: "a".repeat(64), machine: "node-1" };
const SIZED = sizedOf("bytes");

function machineOf(firmware: Firmware): MachineModel {
  const names = ["uki", "linux", "initrd", "loader", "core", "boot", "config"];
  return new MachineModel(firmware, 20 * GIB, Object.fromEntries(names.map((name) => [name, SIZED])));
}

const targetOf = (firmware: Firmware): InstallTarget => ({
  holder: HOLDER,
  order: "order-1",
  mayWipe: true,
  guids: GUIDS,
  image: {
    arch: firmware === "uefi-arm64" ? "arm64" : "amd64",
    version: "1",
    cmdline: "",
    uki: SIZED,
    linux: SIZED,
    initrd: SIZED,
  },
  loader: SIZED,
  grub: { core: SIZED, boot: SIZED },
  meta: new Map(),
  state: [{ path: "/config.yaml", name: "config", ...SIZED }],
});

function planFor(machine: MachineModel): Step[] {
  const plan = planInstall(machine.facts(HOLDER), targetOf(machine.firmware));
  if (plan.kind === "refused") throw new Error(plan.reason);
  return plan.steps;
}
const texts = (stages: readonly Stage[]) => stages.map(({ text }) => text);
const assertWhole = (steps: readonly Step[]) =>
  expect(stagesOf(steps).flatMap(({ ops }) => ops)).toEqual(steps.flatMap(opsOf));

describe("stagesOf", () => {
  test("an install on UEFI, over what stood there", () => {
    const machine = machineOf("uefi-x86_64");
    machine.head.write("XFSB", 0, "latin1");
    const steps = planFor(machine);
    assertWhole(steps);
    const stages = stagesOf(steps);
    expect(texts(stages)).toEqual([
      "erases what stood on the disk",
      "makes the partitions",
      "makes the file systems",
      "writes META and the machine config",
      "writes the OS image to slot EFI",
      "reads the OS image back from slot EFI",
      "writes the boot loader and what it starts",
      "writes the firmware's boot entries",
      "marks the install as complete",
    ]);
    expect(stages[4]!.bytesTotal).toBe(SIZED.bytes);
    expect(stages[5]!.bytesTotal).toBe(SIZED.bytes);
    expect(stages[0]!.bytesTotal).toBeGreaterThan(2_900_000);
  });
  test("an install on BIOS", () => {
    const steps = planFor(machineOf("bios"));
    assertWhole(steps);
    expect(texts(stagesOf(steps))).toEqual([
      "makes the partitions",
      "makes the file systems",
      "writes META and the machine config",
      "writes the kernel to slot EFI",
      "reads the kernel back from slot EFI",
      "writes the initramfs to slot EFI",
      "reads the initramfs back from slot EFI",
      "writes the boot loader and what it starts",
      "writes GRUB's core image and boot code",
      "marks the install as complete",
    ]);
  });
  test("an install that was cut while it wrote files", () => {
    const machine = machineOf("uefi-x86_64");
    const steps = planFor(machine);
    const cut = steps.findIndex((step) => step.kind === "write-file" && step.file.path === "/slipway/1.efi");
    for (const op of steps.slice(0, cut).flatMap(opsOf)) machine.run(op);
    machine.cut(() => 1);
    const rest = planFor(machine);
    assertWhole(rest);
    expect(texts(stagesOf(rest))[0]).toBe("writes the OS image to slot EFI");
  });
  test("a complete install that is met again by a machine that enrolled anew", () => {
    const machine = machineOf("uefi-x86_64");
    for (const op of planFor(machine).flatMap(opsOf)) machine.run(op);
    machine.cut(() => 1);
    const target = targetOf("uefi-x86_64");
    const state = target.state.map((file) => ({ ...file, ...sizedOf("another identity") }));
    const plan = planInstall(machine.facts(HOLDER), { ...target, state });
    if (plan.kind === "refused") throw new Error(plan.reason);
    assertWhole(plan.steps);
    expect(texts(stagesOf(plan.steps))).toEqual([
      "opens the install again, which ended unheard",
      "writes META and the machine config",
      "marks the install as complete",
    ]);
  });
  test("a reset", () => {
    const machine = machineOf("uefi-x86_64");
    for (const op of planFor(machine).flatMap(opsOf)) machine.run(op);
    machine.cut(() => 1);
    const plan = planReset(machine.facts(HOLDER));
    if (plan.kind === "refused") throw new Error(plan.reason);
    assertWhole(plan.steps);
    expect(texts(stagesOf(plan.steps))).toEqual([
      "erases what stood on the disk",
      "writes the firmware's boot entries",
      "erases what stood on the disk",
    ]);
  });
});
