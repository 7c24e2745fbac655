import { describe, expect, test } from "vitest";
import {
  GRUB_MODULES,
  renderGrubConfig,
  renderGrubEarly,
  renderGrubEntry,
  renderSums,
} from "../../../node-agent/install/grub-config.ts";
import {
  decodeGrubEnv,
  encodeGrubEnv,
  readChoice,
  withBlessed,
  withNext,
} from "../../../node-agent/install/grub-env.ts";
import { rowsFor, SLOTS } from "../../../node-agent/install/layout.ts";

const VOLUMES = { EFI: "AAAA-0001", BOOT: "AAAA-0002" };

describe("encodeGrubEnv and decodeGrubEnv", () => {
  const ENVS: [string, [string, string][]][] = [
    ["nothing", []],
    [
      "the choice",
      [
        ["slipway_good", "EFI"],
        ["slipway_next", "BOOT"],
        ["slipway_left", "3"],
      ],
    ],
    [
      "an empty value, an equals sign, a backslash and a newline",
      [
        ["a", ""],
        ["b", "x=y"],
        ["c", "d\\e\nf"],
        ["d", "\\"],
      ],
    ],
  ];
  for (const [name, env] of ENVS) {
    test(`give the same variables: ${name}`, () => {
      const bytes = encodeGrubEnv(new Map(env));
      expect(bytes).toHaveLength(1024);
      expect(decodeGrubEnv(bytes)).toEqual({ kind: "env", env: new Map(env) });
    });
  }
  test("the choice fits the first sector", () => {
    const bytes = encodeGrubEnv(withNext(withBlessed(new Map([["other", "x".repeat(600)]]), "EFI"), "BOOT"));
    expect(bytes.toString("latin1", 0, 512)).toMatch(/slipway_left=3\n/);
  });
  test("refuse what does not fit, and a name that GRUB cannot read", () => {
    expect(() => encodeGrubEnv(new Map([["a", "x".repeat(1000)]]))).toThrow(/1024 fit/);
    expect(() => encodeGrubEnv(new Map([["a-b", ""]]))).toThrow(/no name for GRUB/);
  });
  test("name a block of another size or without its header", () => {
    expect(decodeGrubEnv(Buffer.alloc(1023))).toMatchObject({ kind: "damaged", reason: /1023 bytes/ });
    expect(decodeGrubEnv(Buffer.alloc(1024))).toMatchObject({ kind: "damaged", reason: /no header/ });
  });
});

describe("the choice", () => {
  test("next gives three tries and keeps what is good and what is others'", () =>
    expect([
      ...withNext(
        new Map([
          ["slipway_good", "EFI"],
          ["other", "1"],
        ]),
        "BOOT",
      ),
    ]).toEqual([
      ["slipway_good", "EFI"],
      ["slipway_next", "BOOT"],
      ["slipway_left", "3"],
      ["other", "1"],
    ]));
  test("bless ends the trial", () =>
    expect(readChoice(withBlessed(withNext(new Map(), "BOOT"), "BOOT"))).toEqual({ good: "BOOT", left: 0 }));
  test("values that nobody of ours writes count as absent", () =>
    expect(
      readChoice(
        new Map([
          ["slipway_good", "C"],
          ["slipway_left", "99"],
        ]),
      ),
    ).toEqual({ left: 0 }));
});

describe("GRUB's texts", () => {
  test("grub.cfg checks both files before it boots", () => {
    const text = renderGrubConfig(VOLUMES);
    expect(text.indexOf("hashsum")).toBeLessThan(text.indexOf("\n    boot"));
    expect(text).toMatch(/slipway_left" = 3 \]; then\n {2}trial=\$slipway_next\n {2}slipway_left=2\nelif/);
  });
  test("the early config looks on both slots' partitions of the layout, then hands on", () => {
    const bios = rowsFor("bios").map(({ label }) => label);
    const numbers = SLOTS.map((slot) => `configfile ($drive,gpt${bios.indexOf(slot) + 1})/grub/grub.cfg`);
    const lines = renderGrubEarly().trim().split("\n");
    expect(lines.filter((line) => line.startsWith("configfile"))).toEqual(numbers);
    expect(lines.at(-1)).toBe("exit");
  });
  test("GRUB's rescue parser, which reads the early config, is given no if, no test and no comment", () =>
    expect(renderGrubEarly()).not.toMatch(/\b(if|then|fi|function)\b|#|\[ /m));
  test("the core carries a module for each command of both texts", () => {
    const needed = {
      regexp: "regexp",
      configfile: "configfile",
      exit: "minicmd",
      source: "configfile",
      hashsum: "hashsum",
    };
    for (const module of Object.values(needed)) expect(GRUB_MODULES).toContain(module);
  });
  test("a slot names its files and their sums", () => {
    expect(renderGrubEntry(7, "a b='c'")).toContain("slot_linux=/slipway/7.lin\n");
    expect(renderGrubEntry(7, "a b='c'")).toContain(`slot_options='a b='\\''c'\\'''\n`);
    expect(renderSums(7, { linux: "00", initrd: "11" })).toBe("00  slipway/7.lin\n11  slipway/7.ird\n");
  });
});
