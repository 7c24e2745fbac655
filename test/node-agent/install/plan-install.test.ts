import { describe, expect, test } from "vitest";
import type { Holder } from "../../../node-agent/install/classify-disk.ts";
import { type DiskOp, opsOf } from "../../../node-agent/install/disk-ops.ts";
import type { InstallPlan, InstallTarget, Step } from "../../../node-agent/install/install-step.ts";
import type { Firmware } from "../../../node-agent/install/layout.ts";
import { encodeMarker } from "../../../node-agent/install/marker.ts";
import { decodeMeta } from "../../../node-agent/install/meta.ts";
import { metaTags, needsFiles, planInstall } from "../../../node-agent/install/plan-install.ts";
import { planReset } from "../../../node-agent/install/plan-reset.ts";
import { chanceOf, GIB, GUIDS, MARKER } from "./disk.ts";
import { type Boot, MachineModel, sizedOf } from "./machine-model.ts";

const SIZE = 20 * GIB;
const HOLDER: Holder = { owner: "a".repeat(64), machine: "node-1" };

const assetsOf = (image: string) => ({
  uki: sizedOf(`${image} uki`),
  linux: sizedOf(`${image} linux`),
  initrd: sizedOf(`${image} initrd`),
  loader: sizedOf("systemd-boot"),
  core: sizedOf("grub core"),
  boot: sizedOf("grub boot"),
  config: sizedOf(`config for ${image}`),
  identity: sizedOf("identity"),
  time: sizedOf("the time of the install"),
});

/** The same order after a new enrolment: the appliance takes no other key than this one any more. */
const enrolledAnew = { identity: sizedOf("identity 2"), time: sizedOf("a later time") };
const anewTarget = (firmware: Firmware): InstallTarget => {
  const target = targetOf(firmware);
  const given = (name: string) => enrolledAnew[name as keyof typeof enrolledAnew] ?? {};
  return { ...target, state: target.state.map((file) => ({ ...file, ...given(file.name) })) };
};

function targetOf(firmware: Firmware, image = "new", over: Partial<InstallTarget> = {}): InstallTarget {
  const { uki, linux, initrd, loader, core, boot, config, identity } = assetsOf(image);
  return {
    holder: HOLDER,
    order: `order-${image}`,
    mayWipe: false,
    guids: GUIDS,
    image: {
      arch: firmware === "uefi-arm64" ? "arm64" : "amd64",
      version: "1.2.3",
      cmdline: "quiet",
      uki,
      linux,
      initrd,
    },
    loader,
    grub: { core, boot },
    meta: new Map([[0x5301c0, new Uint8Array(Buffer.from("key"))]]),
    state: [
      { path: "/identity.json", name: "identity", ...identity },
      { path: "/config.yaml", name: "config", ...config },
      { path: "/time.json", name: "time", ...sizedOf("the time of the install"), isLiving: true },
    ],
    ...over,
  };
}

function stepsOf(plan: InstallPlan): Step[] {
  if (plan.kind === "refused") throw new Error(plan.reason);
  return plan.steps;
}

/** What stood on the disk before. */
const BEFORE: Record<string, (machine: MachineModel) => void> = {
  "a blank disk": () => {},
  "a foreign file system": (machine) => {
    machine.head.write("XFSB", 0, "latin1");
    machine.tail.write("old", machine.tail.length - 3);
  },
  "another owner's Slipway": (machine) => {
    for (const sequence of [8, 9]) {
      const { offset, bytes } = encodeMarker({ ...MARKER, sequence, owner: "b".repeat(64) });
      machine.head.set(bytes, offset);
    }
  },
  "an install of ours": (machine) => {
    machine.serve(assetsOf("old"));
    runAll(machine, stepsOf(planInstall(machine.facts(HOLDER), targetOf(machine.firmware, "old"))));
    machine.serve(assetsOf("new"));
  },
};

function machineWith(before: string, firmware: Firmware): MachineModel {
  const machine = new MachineModel(firmware, SIZE, assetsOf("new"));
  BEFORE[before]!(machine);
  return machine;
}

const runAll = (machine: MachineModel, steps: readonly Step[]) => {
  for (const op of steps.flatMap(opsOf)) machine.run(op);
};

const payloadOf = (firmware: Firmware, image: string) => assetsOf(image)[firmware === "bios" ? "linux" : "uki"].sha256;

/** Nothing half, and an old system only while its STATE is there. */
function assertSafe(machine: MachineModel, where: string): void {
  const boot = machine.boots();
  if (boot.kind === "half") throw new Error(`${where}: would start half of ${boot.what}`);
  if (boot.kind === "nothing") return;
  const config = machine.files("STATE")?.get("/config.yaml");
  const image = boot.sha256 === payloadOf(machine.firmware, "new") ? "new" : "old";
  expect(boot.sha256, where).toBe(payloadOf(machine.firmware, image));
  expect(config, `${where}: starts the ${image} image`).toMatchObject({ state: "whole", ...assetsOf(image).config });
}

function assertInstalled(machine: MachineModel, target: InstallTarget, where: string): void {
  expect(machine.boots(), where).toEqual({ kind: "image", sha256: payloadOf(machine.firmware, "new") });
  assertSafe(machine, where);
  const facts = machine.facts(HOLDER);
  const install = facts.disk.class.kind === "ours" ? facts.disk.class.marker.install : 0;
  expect(decodeMeta(machine.metaArea), where).toMatchObject({ kind: "meta", tags: metaTags(target.meta, install) });
  expect(planInstall(machine.facts(HOLDER), target), where).toMatchObject({ kind: "steps", steps: [] });
}

describe("planInstall, cut after every single operation", () => {
  for (const firmware of ["uefi-x86_64", "bios"] as const) {
    for (const before of Object.keys(BEFORE)) {
      test(`${before}, ${firmware}: the next plan completes it, and nothing half ever starts`, () => {
        const mayWipe = before.startsWith("a foreign") || before.startsWith("another");
        const target = targetOf(firmware, "new", { mayWipe });
        const later = targetOf(firmware, "new");
        const count = stepsOf(planInstall(machineWith(before, firmware).facts(HOLDER), target)).flatMap(opsOf).length;
        expect(count).toBeGreaterThan(60);
        // What stood there before is gone after the first operations; from then on these two are the blank disk.
        const last = mayWipe ? 30 : count;
        for (let cut = 0; cut <= last; cut++) {
          const seed = cut * 31 + 7;
          const where = `cut after ${cut} of ${count} operations, seed ${seed}`;
          const machine = machineWith(before, firmware);
          const ops = stepsOf(planInstall(machine.facts(HOLDER), target)).flatMap(opsOf);
          for (const op of ops.slice(0, cut)) machine.run(op);
          machine.cut(chanceOf(seed));
          assertSafe(machine, where);
          // What a person permitted is on the disk after the first step: the next attempt needs no word of theirs.
          const next = planInstall(machine.facts(HOLDER), cut > 1 ? later : target);
          runAll(machine, stepsOf(next));
          machine.cut(() => 1);
          assertInstalled(machine, target, where);
        }
      }, 120_000);
    }
  }

  test("cut again and again at random, it completes in the end", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const firmware = (["uefi-x86_64", "uefi-arm64", "bios"] as const)[seed % 3]!;
      const chance = chanceOf(seed);
      const machine = machineWith("an install of ours", firmware);
      const target = targetOf(firmware);
      for (let attempt = 0; attempt < 8; attempt++) {
        const ops = stepsOf(planInstall(machine.facts(HOLDER), target)).flatMap(opsOf);
        for (const op of ops.slice(0, Math.floor(chance() * ops.length))) machine.run(op);
        machine.cut(chance);
        assertSafe(machine, `seed ${seed}, attempt ${attempt}`);
      }
      runAll(machine, stepsOf(planInstall(machine.facts(HOLDER), target)));
      assertInstalled(machine, target, `seed ${seed}`);
    }
  }, 60_000);

  /** Orders that are known to be wrong; the model must show what each does to the machine. */
  const WRONG: [string, (ops: DiskOp[]) => DiskOp[], Boot["kind"]][] = [
    ["files under their final names, not synced", (ops) => ops.flatMap(straight), "half"],
    ["the directory synced, the renamed file not", withoutSecondSync, "nothing"],
  ];
  for (const [name, change, want] of WRONG) {
    test(`the model finds a wrong order: ${name}`, () => {
      const ends = new Set<string>();
      for (let seed = 0; seed < 40; seed++) {
        const machine = machineWith("a blank disk", "uefi-x86_64");
        const ops = stepsOf(planInstall(machine.facts(HOLDER), targetOf("uefi-x86_64"))).flatMap(opsOf);
        for (const op of change(ops)) machine.run(op);
        machine.cut(chanceOf(seed));
        ends.add(machine.boots().kind);
      }
      expect(ends).toContain(want);
    });
  }
  const FINAL = /(\/\d+)([a-z])\.tmp$|\.new$/;
  function straight(op: DiskOp): DiskOp[] {
    if (op.op === "write") {
      const path = op.path.replace(FINAL, (_, stem, letter) => (stem === undefined ? "" : `${stem}.${letter}fi`));
      return [{ ...op, path }];
    }
    return op.op === "disk-write" || op.op === "disk-sync" || op.op === "make-file-system" || op.op === "set-variable"
      ? [op]
      : [];
  }
  function withoutSecondSync(ops: DiskOp[]): DiskOp[] {
    return ops.filter((op, n) => !(op.op === "sync-file" && ops[n - 1]?.op === "rename"));
  }
});

describe("planInstall, where the power went before the appliance heard of the end and the machine enrolled anew", () => {
  for (const firmware of ["uefi-x86_64", "bios"] as const) {
    function complete(): MachineModel {
      const machine = machineWith("a blank disk", firmware);
      runAll(machine, stepsOf(planInstall(machine.facts(HOLDER), targetOf(firmware))));
      machine.serve({ ...assetsOf("new"), ...enrolledAnew });
      return machine;
    }
    test(`the identity on STATE is written again and nothing else: ${firmware}`, () => {
      const machine = complete();
      const target = anewTarget(firmware);
      expect(needsFiles(machine.facts(HOLDER).disk.class, target.order)).toBe(true);
      const plan = planInstall(machine.facts(HOLDER), target);
      expect(plan).toMatchObject({ kind: "steps", install: 1 });
      expect(kinds(stepsOf(plan))).toEqual(["marker filling", "STATE /identity.json", "marker complete"]);
      runAll(machine, stepsOf(plan));
      expect(machine.files("STATE")?.get("/identity.json")).toMatchObject(enrolledAnew.identity);
      expect(machine.files("STATE")?.get("/time.json")).toMatchObject(sizedOf("the time of the install"));
      assertInstalled(machine, target, "after it");
    });
    test(`cut after every operation, it never counts as complete with the old identity: ${firmware}`, () => {
      const target = anewTarget(firmware);
      const count = stepsOf(planInstall(complete().facts(HOLDER), target)).flatMap(opsOf).length;
      for (let cut = 0; cut <= count; cut++) {
        const where = `cut after ${cut} of ${count} operations, seed ${cut}`;
        const machine = complete();
        for (const op of stepsOf(planInstall(machine.facts(HOLDER), target))
          .flatMap(opsOf)
          .slice(0, cut))
          machine.run(op);
        machine.cut(chanceOf(cut));
        assertSafe(machine, where);
        runAll(machine, stepsOf(planInstall(machine.facts(HOLDER), target)));
        machine.cut(() => 1);
        expect(machine.files("STATE")?.get("/identity.json"), where).toMatchObject(enrolledAnew.identity);
        assertInstalled(machine, target, where);
      }
    });
    test(`a payload that is not whole either is written again: ${firmware}`, () => {
      const machine = complete();
      const facts = machine.facts(HOLDER);
      const path = firmware === "bios" ? "/slipway/1.lin" : "/slipway/1.efi";
      const files = { ...facts.files, EFI: new Map([...facts.files.EFI!, [path, sizedOf("flipped")]] as const) };
      const steps = stepsOf(planInstall({ ...facts, files }, anewTarget(firmware)));
      expect(kinds(steps)).toContain(`EFI ${path}`);
      runAll(machine, steps);
      assertInstalled(machine, anewTarget(firmware), "after it");
    });
    test(`another order's disk is not read: ${firmware}`, () =>
      expect(needsFiles(complete().facts(HOLDER).disk.class, "order-3")).toBe(false));
  }
});

const kinds = (steps: readonly Step[]) =>
  steps.map((step) => {
    if (step.kind === "write-marker") return `marker ${step.marker.phase}`;
    if (step.kind === "write-file") return `${step.file.on} ${step.file.path}`;
    if (step.kind === "format") return `format ${step.partition}`;
    return step.kind;
  });

describe("planInstall", () => {
  test("plans a UEFI disk in this order", () => {
    const machine = machineWith("a blank disk", "uefi-x86_64");
    const steps = stepsOf(planInstall(machine.facts(HOLDER), targetOf("uefi-x86_64")));
    expect(kinds(steps).filter((kind) => kind !== "erase" && kind !== "set-boot-variable")).toEqual([
      "marker partitioning",
      "write-table",
      "format EFI",
      "format BOOT",
      "format STATE",
      "format EPHEMERAL",
      "marker filling",
      "write-meta",
      "STATE /identity.json",
      "STATE /config.yaml",
      "STATE /time.json",
      "EFI /slipway/1.efi",
      "EFI /slipway/1.sum",
      "EFI /loader/loader.conf",
      "BOOT /loader/loader.conf",
      "EFI /loader/entries/slipway-1.conf",
      "BOOT /EFI/slipway/loader.efi",
      "EFI /EFI/slipway/loader.efi",
      "EFI /EFI/slipway/loader1.efi",
      "EFI /EFI/slipway/loader2.efi",
      "EFI /EFI/slipway/loader3.efi",
      "EFI /EFI/BOOT/BOOTX64.EFI",
      "marker complete",
    ]);
  });
  test("ends a BIOS disk with the boot code", () => {
    const machine = machineWith("a blank disk", "bios");
    expect(kinds(stepsOf(planInstall(machine.facts(HOLDER), targetOf("bios")))).slice(-9)).toEqual([
      "EFI /slipway/1.lin",
      "EFI /slipway/1.ird",
      "EFI /slipway/1.sum",
      "EFI /grub/grubenv",
      "EFI /slipway/entry.cfg",
      "EFI /grub/grub.cfg",
      "BOOT /grub/grub.cfg",
      "write-boot-code",
      "marker complete",
    ]);
  });
  test("names arm64's loader", () => {
    const machine = machineWith("a blank disk", "uefi-arm64");
    const steps = stepsOf(planInstall(machine.facts(HOLDER), targetOf("uefi-arm64")));
    expect(kinds(steps)).toContain("EFI /EFI/BOOT/BOOTAA64.EFI");
  });
  test("gets shorter with each file, and is [] at the end", () => {
    const machine = machineWith("a blank disk", "uefi-x86_64");
    const target = targetOf("uefi-x86_64");
    const steps = stepsOf(planInstall(machine.facts(HOLDER), target));
    let left = Number.POSITIVE_INFINITY;
    for (const step of steps) {
      runAll(machine, [step]);
      const facts = machine.facts(HOLDER);
      if (!needsFiles(facts.disk.class, target.order)) continue;
      const next = stepsOf(planInstall(facts, target)).length;
      expect(next).toBeLessThan(left);
      left = next;
    }
    expect(stepsOf(planInstall(machine.facts(HOLDER), target))).toEqual([]);
  });
  test("another order on our disk is a new install: the next number, the same GUIDs, no new boot entries", () => {
    const machine = machineWith("an install of ours", "uefi-x86_64");
    const plan = planInstall(
      machine.facts(HOLDER),
      targetOf("uefi-x86_64", "new", { guids: { ...GUIDS, disk: GUIDS.BIOS } }),
    );
    expect(plan).toMatchObject({ kind: "steps", install: 2 });
    expect(stepsOf(plan)[0]).toMatchObject({ kind: "write-marker", marker: { phase: "partitioning", guids: GUIDS } });
    expect(kinds(stepsOf(plan))).toContain("EFI /loader/entries/slipway-2.conf");
    expect(kinds(stepsOf(plan))).not.toContain("set-boot-variable");
  });
  test("a payload that is wrong on the disk takes its pointers away before it is written again", () => {
    const machine = machineWith("a blank disk", "uefi-x86_64");
    const target = targetOf("uefi-x86_64");
    const all = stepsOf(planInstall(machine.facts(HOLDER), target));
    runAll(machine, all.slice(0, -1));
    const facts = machine.facts(HOLDER);
    const efi = new Map(facts.files.EFI);
    efi.set("/slipway/1.efi", { bytes: 7, sha256: "flipped" });
    const steps = stepsOf(planInstall({ ...facts, files: { ...facts.files, EFI: efi } }, target));
    const write = steps.findIndex((step) => step.kind === "write-file" && step.file.path === "/slipway/1.efi");
    const removed = steps.slice(0, write).map((step) => (step.kind === "remove-file" ? step.path : step.kind));
    expect(removed).toEqual(expect.arrayContaining(["/EFI/BOOT/BOOTX64.EFI", "/loader/entries/slipway-1.conf"]));
  });
  test("what a cut write left is removed; STATE's other files are not ours", () => {
    const machine = machineWith("a blank disk", "uefi-x86_64");
    const target = targetOf("uefi-x86_64");
    runAll(machine, stepsOf(planInstall(machine.facts(HOLDER), target)).slice(0, -1));
    const facts = machine.facts(HOLDER);
    const some = sizedOf("x");
    const files = {
      ...facts.files,
      EFI: new Map([...facts.files.EFI!, ["/slipway/1e.tmp", some]] as const),
      STATE: new Map([...facts.files.STATE!, ["/config.yaml.new", some], ["/lease.json", some]] as const),
    };
    const steps = stepsOf(planInstall({ ...facts, files }, target));
    expect(steps.flatMap((step) => (step.kind === "remove-file" ? [step.path] : []))).toEqual([
      "/slipway/1e.tmp",
      "/config.yaml.new",
    ]);
  });
  test("a volume that cannot be mounted while it was filled is made anew", () => {
    const machine = machineWith("a blank disk", "uefi-x86_64");
    const target = targetOf("uefi-x86_64");
    runAll(machine, stepsOf(planInstall(machine.facts(HOLDER), target)).slice(0, -1));
    const facts = machine.facts(HOLDER);
    const { STATE: _, ...files } = facts.files;
    expect(kinds(stepsOf(planInstall({ ...facts, files }, target)))).toContain("format STATE");
  });
  test("the first install of a disk counts on from this machine's other disks", () => {
    const machine = machineWith("a blank disk", "uefi-x86_64");
    const plan = planInstall(machine.facts(HOLDER), targetOf("uefi-x86_64", "new", { firstInstall: 5 }));
    expect(plan).toMatchObject({ kind: "steps", install: 5 });
    expect(kinds(stepsOf(plan))).toContain("EFI /slipway/5.efi");
  });
  test("a firmware that lets nobody write its variables gets none, and the disk still boots", () => {
    const machine = machineWith("a blank disk", "uefi-x86_64");
    const facts = { ...machine.facts(HOLDER), variables: undefined };
    runAll(machine, stepsOf(planInstall(facts, targetOf("uefi-x86_64"))));
    expect(machine.boots().kind).toBe("image");
  });

  const REFUSED: [string, Parameters<typeof planInstall>, RegExp][] = [
    [
      "foreign data",
      [machineWith("a foreign file system", "bios").facts(HOLDER), targetOf("bios")],
      /\/dev\/vda holds data: XFS/,
    ],
    [
      "another owner's disk",
      [machineWith("another owner's Slipway", "bios").facts(HOLDER), targetOf("bios")],
      /another owner/,
    ],
    [
      "an image of the other arch",
      [machineWith("a blank disk", "uefi-arm64").facts(HOLDER), targetOf("bios")],
      /for amd64; this machine \(uefi-arm64\) needs arm64/,
    ],
    ["a BIOS disk with large sectors", [largeSectors(), targetOf("bios")], /sectors of 4096 bytes; a BIOS/],
    ["a small disk", [small(), targetOf("bios")], /has 4096 MiB; the partitions need 6468 MiB/],
    ["a read-only disk", [readOnly(), targetOf("bios")], /is read-only/],
    [
      "an image that fits a slot only once",
      [machineWith("a blank disk", "uefi-x86_64").facts(HOLDER), large()],
      /takes 520093696/,
    ],
    [
      "a core image that is too large",
      [machineWith("a blank disk", "bios").facts(HOLDER), largeCore()],
      /GRUB's core image/,
    ],
  ];
  function largeSectors() {
    const facts = machineWith("a blank disk", "bios").facts(HOLDER);
    return { ...facts, disk: { ...facts.disk, sectorBytes: 4096 as const } };
  }
  function small() {
    const facts = machineWith("a blank disk", "bios").facts(HOLDER);
    return { ...facts, disk: { ...facts.disk, sizeBytes: 4 * GIB } };
  }
  function readOnly() {
    const facts = machineWith("a blank disk", "bios").facts(HOLDER);
    return { ...facts, disk: { ...facts.disk, isReadOnly: true } };
  }
  function large() {
    const target = targetOf("uefi-x86_64");
    return { ...target, image: { ...target.image, uki: { bytes: 600_000_000, sha256: "" } } };
  }
  function largeCore() {
    const target = targetOf("bios");
    return { ...target, grub: { ...target.grub, core: { bytes: 2_000_000, sha256: "" } } };
  }
  for (const [name, args, reason] of REFUSED) {
    test(`refuses ${name}, with a remedy`, () => {
      const plan = planInstall(...args);
      expect(plan).toMatchObject({
        kind: "refused",
        reason: expect.stringMatching(reason),
        remedy: expect.stringMatching(/\w{5}/),
      });
    });
  }
});

describe("planReset", () => {
  for (const firmware of ["uefi-x86_64", "bios"] as const) {
    test(`cut after every operation, the next one leaves a blank disk that boots nothing: ${firmware}`, () => {
      const count = resetOps(machineWith("an install of ours", firmware)).length;
      for (let cut = 0; cut <= count; cut++) {
        const where = `cut after ${cut} of ${count}, seed ${cut}`;
        const machine = machineWith("an install of ours", firmware);
        for (const op of resetOps(machine).slice(0, cut)) machine.run(op);
        machine.cut(chanceOf(cut));
        const boot = machine.boots();
        expect(boot.kind, where).not.toBe("half");
        if (boot.kind === "image") expect(machine.files("STATE")?.has("/config.yaml"), where).toBe(true);
        for (const op of resetOps(machine)) machine.run(op);
        expect(machine.facts(HOLDER).disk.class.kind, where).toBe("blank");
        expect(machine.boots().kind, where).toBe("nothing");
        expect(machine.files("STATE"), where).toBeUndefined();
        expect(resetOps(machine), where).toEqual([]);
      }
    }, 60_000);
  }
  function resetOps(machine: MachineModel) {
    const plan = planReset(machine.facts(HOLDER));
    if (plan.kind === "refused") throw new Error(plan.reason);
    return plan.steps.flatMap(opsOf);
  }
  test("refuses a disk that is not ours", () =>
    expect(planReset(machineWith("a foreign file system", "bios").facts(HOLDER))).toMatchObject({
      kind: "refused",
      reason: expect.stringContaining("is not this machine's: XFS"),
    }));
  test("has nothing to do on a blank disk", () =>
    expect(planReset(machineWith("a blank disk", "bios").facts(HOLDER))).toEqual({ kind: "steps", steps: [] }));
});
