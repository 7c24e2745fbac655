// chooseDisk as a table: what the config says, an install that was begun, else the rule; and what is said when none will do.
import { describe, expect, test } from "vitest";
import { type Candidate, chooseDisk, type DiskWish } from "../../../node-agent/install/choose-disk.ts";
import type { DiskClass } from "../../../node-agent/install/classify-disk.ts";
import { DISK } from "../machine.ts";
import { MARKER } from "./disk.ts";

const GB = 1_000_000_000n;
const BLANK: DiskClass = { kind: "blank", detail: "" };
const FOREIGN: DiskClass = { kind: "foreign", detail: "XFS", signatures: [] };
const ours = (order: string): DiskClass => ({
  kind: "ours",
  state: "cut",
  detail: "cut",
  marker: { ...MARKER, order },
});
const others: DiskClass = { kind: "other-owner", detail: "another owner", marker: MARKER, signatures: [] };
const disk = (name: string, found: DiskClass = BLANK, gigabytes = 100n): Candidate => ({
  disk: { ...DISK, name, bus: "sata", sizeBytes: gigabytes * GB, model: `model ${name}` },
  class: found,
});

const ROWS: { name: string; disks: Candidate[]; wish?: DiskWish; takes: string; says: string }[] = [
  { name: "the only one", disks: [disk("sda")], takes: "sda", says: "the only disk" },
  {
    name: "the config's, also if it is the worse one",
    disks: [disk("sda"), disk("sdb", FOREIGN)],
    wish: { disk: "/dev/sdb", resolved: "sdb" },
    takes: "sdb",
    says: "install.disk is /dev/sdb",
  },
  {
    name: "what a link of the config's leads to",
    disks: [disk("sda"), disk("sdb")],
    wish: { disk: "/dev/disk/by-id/wwn-7", resolved: "sdb" },
    takes: "sdb",
    says: "install.disk is /dev/disk/by-id/wwn-7",
  },
  {
    name: "the selector's before the config's path",
    disks: [disk("sda"), disk("sdb")],
    wish: { disk: "/dev/sda", resolved: "sda", diskSelector: { model: "*sdb" } },
    takes: "sdb",
    says: "the diskSelector fits",
  },
  {
    name: "the rule's when the selector says nothing",
    disks: [disk("sda")],
    wish: { diskSelector: {} },
    takes: "sda",
    says: "the only disk",
  },
  {
    name: "the one that this order was begun on",
    disks: [disk("sda"), disk("sdb", ours("order-1"))],
    takes: "sdb",
    says: "this install was begun on it",
  },
  {
    name: "an own one before a blank one",
    disks: [disk("sda"), disk("sdb", ours("old"))],
    takes: "sdb",
    says: "is empty",
  },
  {
    name: "a blank one before a foreign one",
    disks: [disk("sda", FOREIGN), disk("sdb")],
    takes: "sdb",
    says: "holds data (XFS)",
  },
  {
    name: "a blank one before another owner's Slipway",
    disks: [disk("sda", others), disk("sdb")],
    takes: "sdb",
    says: "holds data (another owner)",
  },
];

describe("chooseDisk takes", () => {
  for (const { name, disks, wish = {}, takes, says } of ROWS) {
    test(name, () => {
      const choice = chooseDisk(disks, wish, "order-1", "uefi-x86_64");
      expect(choice).toMatchObject({ kind: "disk", name: takes });
      expect(choice.reason).toContain(says);
    });
  }
});

describe("chooseDisk refuses", () => {
  const REFUSED: [string, Candidate[], DiskWish, RegExp][] = [
    ["no disk", [], {}, /no disk was seen/],
    [
      "a disk that is too small",
      [disk("sda", BLANK, 4n)],
      {},
      /6\.8 GB or more is needed; seen: sda is too small \(4\.0 GB\)/,
    ],
    [
      "a path that is not there",
      [disk("sda")],
      { disk: "/dev/sdx" },
      /install.disk is \/dev\/sdx: this machine has no such disk; seen: \/dev\/sda \(100 GB\)/,
    ],
    [
      "a partition",
      [disk("sda")],
      { disk: "/dev/disk/by-label/x", resolved: "sda1" },
      /by-label\/x, which is \/dev\/sda1: /,
    ],
    ["a selector that fits none", [disk("sda")], { diskSelector: { model: "x" } }, /no disk fits install.diskSelector/],
  ];
  for (const [name, disks, wish, says] of REFUSED) {
    test(name, () => {
      const choice = chooseDisk(disks, wish, "order-1", "uefi-x86_64");
      expect(choice.kind).toBe("refused");
      expect(choice.reason).toMatch(says);
    });
  }
});
