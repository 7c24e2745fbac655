// chooseInstallDisk as a table: a base disk, what each row changes, which disk is taken and what is said.
import { describe, expect, test } from "vitest";
import { leastDiskBytes } from "../../node-agent/install/layout.ts";
import { chooseInstallDisk, formatSize } from "../../node-agent/plan.ts";
import type { Disk } from "../../server/contract/generated/agent.ts";
import { DISK } from "./machine.ts";

const GB = 1_000_000_000n;
const disk = (over: Partial<Disk>): Disk => ({ ...DISK, name: "sda", bus: "sata", sizeBytes: 500n * GB, ...over });
const nvme = disk({ name: "nvme0n1", bus: "nvme", sizeBytes: 512n * GB, model: "Samsung 980" });
const ssd = disk({});
const hdd = disk({ name: "sdb", rotational: true, sizeBytes: 4000n * GB });
const stick = disk({ name: "sdc", bus: "usb", removable: true, sizeBytes: 32n * GB });
const usb = disk({ name: "sdd", bus: "usb", sizeBytes: 1000n * GB });
const full = { content: "foreign", contentDetail: "ext4" };

const ROWS: { name: string; disks: Disk[]; path: string; says: string }[] = [
  {
    name: "takes the only disk",
    disks: [nvme],
    path: "/dev/nvme0n1",
    says: "NVMe, 512 GB, Samsung 980, empty; the only disk",
  },
  {
    name: "prefers NVMe to SSD to spinning",
    disks: [hdd, ssd, nvme],
    path: "/dev/nvme0n1",
    says: "not taken: sda is slower (SSD); sdb is slower (hard disk)",
  },
  {
    name: "prefers the empty disk to the fast one",
    disks: [{ ...nvme, ...full }, ssd],
    path: "/dev/sda",
    says: "not taken: nvme0n1 holds data (ext4)",
  },
  {
    name: "takes a disk with data when there is no other, and says so",
    disks: [{ ...ssd, ...full }],
    path: "/dev/sda",
    says: "its data will be lost (ext4)",
  },
  {
    name: "overwrites an earlier Slipway OS without regret",
    disks: [hdd, { ...nvme, content: "slipway" }],
    path: "/dev/nvme0n1",
    says: "holds an earlier Slipway OS",
  },
  {
    name: "prefers the disk with an earlier Slipway OS to an empty one: two systems would leave the choice to the firmware",
    disks: [{ ...hdd, content: "slipway" }, nvme],
    path: "/dev/sdb",
    says: "not taken: nvme0n1 is empty",
  },
  {
    name: "prefers the smaller of two alike",
    disks: [disk({ name: "sdb", sizeBytes: 2000n * GB }), ssd],
    path: "/dev/sda",
    says: "sdb is larger (2.0 TB)",
  },
  {
    name: "takes the first by name of two the same",
    disks: [disk({ name: "sdb" }), ssd],
    path: "/dev/sda",
    says: "sdb is as good, and comes later by name",
  },
  { name: "never takes a stick", disks: [stick, ssd], path: "/dev/sda", says: "not taken: sdc is removable" },
  {
    name: "takes a fixed USB disk only when there is nothing else",
    disks: [usb],
    path: "/dev/sdd",
    says: "USB disk, 1.0 TB, empty",
  },
  {
    name: "prefers a full fixed disk to an empty one on USB",
    disks: [usb, { ...hdd, ...full }],
    path: "/dev/sdb",
    says: "sdd is on USB",
  },
  {
    name: "leaves the boot medium alone",
    disks: [disk({ name: "sdb", bootMedium: true }), ssd],
    path: "/dev/sda",
    says: "sdb the running system came from it",
  },
  {
    name: "leaves small and read-only disks alone",
    disks: [disk({ name: "sdb", sizeBytes: 4n * GB }), disk({ name: "sdc", readOnly: true }), ssd],
    path: "/dev/sda",
    says: "sdb is too small (4.0 GB); sdc is read-only",
  },
  {
    name: "prefers an SSD to an SD card",
    disks: [disk({ name: "mmcblk0", bus: "mmc", sizeBytes: 64n * GB }), ssd],
    path: "/dev/sda",
    says: "mmcblk0 is slower (eMMC or SD card)",
  },
];

describe("chooseInstallDisk", () => {
  for (const { name, disks, path, says } of ROWS) {
    test(name, () => {
      const choice = chooseInstallDisk({ disks });
      expect(choice).toMatchObject({ kind: "disk", path });
      expect(choice.reason).toContain(says);
      expect(chooseInstallDisk({ disks: [...disks].reverse() })).toMatchObject({ path });
    });
  }

  test("says why no disk will do", () => {
    expect(chooseInstallDisk({ disks: [stick, disk({ name: "sdb", sizeBytes: 0n })] })).toEqual({
      kind: "impossible",
      reason: "a fixed, writable disk of 6.8 GB or more is needed; seen: sdc is removable; sdb has no medium",
    });
    expect(chooseInstallDisk({ disks: [] }).reason).toContain("no disk was seen");
  });

  for (const firmware of ["uefi-x86_64", "bios"] as const) {
    test(`takes exactly what the partitions need, and not a byte less: ${firmware}`, () => {
      const least = BigInt(leastDiskBytes(firmware));
      expect(chooseInstallDisk({ disks: [disk({ sizeBytes: least })] }, firmware).kind).toBe("disk");
      expect(chooseInstallDisk({ disks: [disk({ sizeBytes: least - 1n })] }, firmware).kind).toBe("impossible");
    });
  }
});

test("formatSize counts as the label on the drive does", () => {
  expect([8_589_934_592n, 512n * GB, 4000n * GB].map(formatSize)).toEqual(["8.6 GB", "512 GB", "4.0 TB"]);
});
