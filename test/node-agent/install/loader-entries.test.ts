import { describe, expect, test } from "vitest";
import type { Slot } from "../../../node-agent/install/layout.ts";
import { chooseEntry, compareVersions, type LoaderVolume } from "../../../node-agent/install/loader-choice.ts";
import {
  decideBlessing,
  decideSlot,
  type EntryName,
  formatEntryName,
  LOADER_CONF_TEXT,
  nextInstall,
  type PlacedEntry,
  parseEntry,
  parseEntryName,
  renderEntry,
} from "../../../node-agent/install/loader-entries.ts";
import { isTemporary, payloadPath, temporaryPath } from "../../../node-agent/install/slot-files.ts";

describe("parseEntryName", () => {
  const NAMES: [string, EntryName | undefined][] = [
    ["slipway-7.conf", { install: 7 }],
    ["slipway-7+3.conf", { install: 7, left: 3 }],
    ["slipway-7+2-1.conf", { install: 7, left: 2, done: 1 }],
    ["slipway-12345678+0-3.conf", { install: 12_345_678, left: 0, done: 3 }],
    ["slipway-123456789.conf", undefined],
    ["slipway-.conf", undefined],
    ["slipway-7+.conf", undefined],
    ["slipway-7+3-.conf", undefined],
    ["slipway-7.conf.new", undefined],
    ["debian-7.conf", undefined],
  ];
  for (const [file, name] of NAMES) {
    test(`reads ${file}`, () => expect(parseEntryName(file)).toEqual(name));
    if (name !== undefined) test(`formatEntryName writes ${file}`, () => expect(formatEntryName(name)).toBe(file));
  }
  test("formatEntryName refuses nine digits", () =>
    expect(() => formatEntryName({ install: 123_456_789 })).toThrow(/install number/));
});

describe("renderEntry", () => {
  test("writes an entry that reads back", () => {
    expect(renderEntry(7, "1.2.3")).toBe(
      "title Slipway OS 1.2.3 (install 7)\nversion 7\nsort-key slipway\nefi /slipway/7.efi\n",
    );
    expect(parseEntry(renderEntry(7, "1.2.3"))).toMatchObject({
      version: "7",
      sortKey: "slipway",
      path: "/slipway/7.efi",
    });
  });
  test("keeps a version from adding lines", () => expect(renderEntry(7, "1\nefi /evil").split("\n")).toHaveLength(5));
  test("parseEntry takes an entry without a program for none", () => expect(parseEntry("title x\n")).toBeUndefined());
  test("loader.conf names no default", () => expect(LOADER_CONF_TEXT).not.toMatch(/^default/m));
});

describe("payload names", () => {
  test("fit 8.3, temporary ones too, and lie outside EFI/Linux", () => {
    for (const install of [1, 9_999_999]) {
      for (const payload of ["uki", "linux", "initrd", "sums"] as const) {
        const path = payloadPath(install, payload);
        for (const name of [path, temporaryPath(path)]) expect(name).toMatch(/^\/slipway\/[0-9a-z]{1,8}\.[a-z]{3}$/);
        expect(isTemporary(temporaryPath(path))).toBe(true);
        expect(isTemporary(path)).toBe(false);
      }
    }
  });
  test("never share a temporary name", () => {
    const names = (["uki", "linux", "initrd", "sums"] as const).map((p) => temporaryPath(payloadPath(7, p)));
    expect(new Set(names).size).toBe(4);
  });
  test("a text's temporary name is no entry for the loader", () =>
    expect(temporaryPath("/loader/entries/slipway-7.conf")).toBe("/loader/entries/slipway-7.conf.new"));
});

type Files = Record<string, string | { version?: string; sortKey?: boolean; bytes?: number; path?: string }>;
/** Entry file → what differs from a whole entry with an existing UKI of its own. */
function volume(files: Files): LoaderVolume {
  const entries = new Map<string, string>();
  const sizes = new Map<string, number>();
  for (const [file, row] of Object.entries(files)) {
    if (typeof row === "string") {
      entries.set(file, row);
      continue;
    }
    const install = parseEntryName(file)?.install ?? 0;
    const path = row.path ?? payloadPath(install, "uki");
    const key = row.sortKey === false ? "" : "sort-key slipway\n";
    entries.set(file, `version ${row.version ?? install}\n${key}efi ${path}\n`);
    sizes.set(path, row.bytes ?? 1000);
  }
  return { entries, sizes };
}

describe("chooseEntry", () => {
  const ROWS: [string, Slot, Files, Files, string][] = [
    ["the only one", "EFI", { "slipway-1.conf": {} }, {}, "EFI slipway-1.conf"],
    [
      "the higher number on the other slot",
      "EFI",
      { "slipway-1.conf": {} },
      { "slipway-2+3.conf": {} },
      "BOOT slipway-2+3.conf → slipway-2+2-1.conf",
    ],
    [
      "the one on trial while tries are left",
      "EFI",
      { "slipway-1.conf": {} },
      { "slipway-2+1-2.conf": {} },
      "BOOT slipway-2+1-2.conf → slipway-2+0-3.conf",
    ],
    [
      "the blessed one when the tries are gone",
      "EFI",
      { "slipway-1.conf": {} },
      { "slipway-2+0-3.conf": {} },
      "EFI slipway-1.conf",
    ],
    ["one without tries when there is no other", "EFI", {}, { "slipway-2+0-3.conf": {} }, "BOOT slipway-2+0-3.conf"],
    [
      "10 before 9: numbers, not text",
      "EFI",
      { "slipway-9.conf": {} },
      { "slipway-10.conf": {} },
      "BOOT slipway-10.conf",
    ],
    [
      "the lower one when the higher one's file is empty",
      "EFI",
      { "slipway-1.conf": {} },
      { "slipway-2+3.conf": { bytes: 0 } },
      "EFI slipway-1.conf",
    ],
    [
      "the lower one when the higher one names no file",
      "EFI",
      { "slipway-1.conf": {} },
      { "slipway-2+3.conf": "version 2\nsort-key slipway\n" },
      "EFI slipway-1.conf",
    ],
    [
      "an entry with a sort-key before one without, whatever its version",
      "EFI",
      { "slipway-1.conf": {} },
      { "slipway-9.conf": { sortKey: false } },
      "EFI slipway-1.conf",
    ],
    [
      "by name where no entry has a sort-key",
      "EFI",
      { "slipway-1.conf": { sortKey: false, version: "9" } },
      { "slipway-2.conf": { sortKey: false, version: "1" } },
      "BOOT slipway-2.conf",
    ],
    [
      "the one with more tries of two that are equal",
      "EFI",
      { "slipway-2+1-2.conf": {} },
      { "slipway-2+3.conf": {} },
      "BOOT slipway-2+3.conf → slipway-2+2-1.conf",
    ],
    [
      "the one that was tried less of two with equal tries",
      "EFI",
      { "slipway-2+1-2.conf": {} },
      { "slipway-2+1.conf": {} },
      "BOOT slipway-2+1.conf → slipway-2+0-1.conf",
    ],
    ["from BOOT only BOOT's own", "BOOT", { "slipway-3.conf": {} }, { "slipway-2.conf": {} }, "BOOT slipway-2.conf"],
    ["nothing from BOOT when only EFI has entries", "BOOT", { "slipway-3.conf": {} }, {}, "nothing"],
    ["nothing when there is none", "EFI", {}, {}, "nothing"],
    ["no file that is not named .conf", "EFI", { "slipway-1.conf.new": {} }, {}, "nothing"],
  ];
  for (const [name, from, efi, boot, want] of ROWS) {
    test(`takes ${name}`, () => {
      const choice = chooseEntry(from, { EFI: volume(efi), BOOT: volume(boot) });
      const counted = choice.kind === "starts" && choice.fileAfter !== choice.file ? ` → ${choice.fileAfter}` : "";
      expect(choice.kind === "starts" ? `${choice.slot} ${choice.file}${counted}` : "nothing").toBe(want);
    });
  }
  test("tries a new version three times, then goes back for good", () => {
    let name = "slipway-2+3.conf";
    const taken: string[] = [];
    for (let boot = 0; boot < 5; boot++) {
      const choice = chooseEntry("EFI", { EFI: volume({ "slipway-1.conf": {} }), BOOT: volume({ [name]: {} }) });
      if (choice.kind !== "starts") throw new Error(choice.reason);
      taken.push(choice.slot);
      if (choice.slot === "BOOT") name = choice.fileAfter;
    }
    expect(taken).toEqual(["BOOT", "BOOT", "BOOT", "EFI", "EFI"]);
  });
  test("compareVersions orders by number, then by character", () =>
    expect(["10", "9", "a-2", "a-10", "1"].sort(compareVersions)).toEqual(["1", "9", "10", "a-2", "a-10"]));
});

describe("decideSlot", () => {
  const efi = (file: string): PlacedEntry => ({ slot: "EFI", file });
  const boot = (file: string): PlacedEntry => ({ slot: "BOOT", file });
  const ROWS: [string, number | undefined, PlacedEntry[], string][] = [
    ["EFI for a system from the network", undefined, [], "EFI 1"],
    ["BOOT while EFI runs", 1, [efi("slipway-1.conf")], "BOOT 2"],
    ["EFI while BOOT runs", 2, [efi("slipway-1.conf"), boot("slipway-2.conf")], "EFI 3"],
    ["the slot of a version that failed", 1, [efi("slipway-1.conf"), boot("slipway-2+0-3.conf")], "BOOT 3"],
    [
      "nothing while the running version is on trial",
      2,
      [efi("slipway-1.conf"), boot("slipway-2+2-1.conf")],
      "refused",
    ],
    ["nothing when the running version has no entry", 5, [efi("slipway-1.conf")], "refused"],
    [
      "nothing when two entries claim to be the running one",
      1,
      [efi("slipway-1.conf"), boot("slipway-1.conf")],
      "refused",
    ],
  ];
  for (const [name, running, entries, want] of ROWS) {
    test(`names ${name}`, () => {
      const decision = decideSlot(running, entries);
      expect(decision.kind === "slot" ? `${decision.slot} ${decision.install}` : decision.kind).toBe(want);
    });
  }
  test("nextInstall never gives a number twice", () =>
    expect([
      nextInstall([]),
      nextInstall([boot("slipway-8+0-3.conf")]),
      nextInstall([efi("slipway-2.conf")], 5),
    ]).toEqual([1, 9, 6]));
});

describe("decideBlessing", () => {
  const on = (file: string): PlacedEntry => ({ slot: "BOOT", file });
  test("takes the counter off", () =>
    expect(decideBlessing(2, [on("slipway-2+2-1.conf")])).toEqual({
      kind: "rename",
      slot: "BOOT",
      from: "slipway-2+2-1.conf",
      to: "slipway-2.conf",
    }));
  test("is done when there is none", () =>
    expect(decideBlessing(2, [on("slipway-2.conf")])).toEqual({ kind: "blessed" }));
  test("says when the entry is gone", () => expect(decideBlessing(3, [on("slipway-2.conf")]).kind).toBe("missing"));
});
