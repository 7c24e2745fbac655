// Can this host's processor run a virtual machine, or must it be emulated? A /dev/kvm that exists may still be unable to
// run firmware (nested virtualisation), so a machine with the smallest boot sector is really booted. Called by run-lab.ts.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootSector } from "./disk.ts";
import { spawnProcess } from "./namespace-process.ts";
import type { Accelerator } from "./qemu-arguments.ts";
import { openScratchFolder } from "./scratch-folder.ts";

const SAYS = "slipway-lab: this processor runs firmware";
/** SeaBIOS needs a tenth of a second under KVM; where it does not work it never comes. */
const BOOTS_WITHIN_MS = 10_000;

export type AcceleratorChoice = { accelerator: Accelerator; reason: string };

/** Boots a probe machine under KVM. Never throws: whatever is wrong, there is the emulator. */
export async function chooseAccelerator(): Promise<AcceleratorChoice> {
  if (!existsSync("/dev/kvm")) return { accelerator: "tcg", reason: "this host has no /dev/kvm" };
  const { path, remove } = openScratchFolder();
  const disk = join(path, "probe");
  writeFileSync(disk, Buffer.concat([bootSector(SAYS), Buffer.alloc(1 << 20)]));
  const probe = spawnProcess(
    [
      ...["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-machine", "q35,graphics=off", "-m", "64"],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"],
      ...["-drive", `format=raw,file=${disk}`],
    ],
    {},
  );
  try {
    await probe.waitFor(new RegExp(SAYS), BOOTS_WITHIN_MS);
    return { accelerator: "kvm", reason: "a probe machine booted under KVM" };
  } catch {
    const said = probe.stderr().trim().split("\n").at(-1);
    const why = said ? `: ${said}` : ` within ${BOOTS_WITHIN_MS / 1000} s`;
    return { accelerator: "tcg", reason: `a probe machine did not boot under KVM${why}` };
  } finally {
    await probe.stop();
    remove();
  }
}
