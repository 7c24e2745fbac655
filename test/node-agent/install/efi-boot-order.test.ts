import { describe, expect, test } from "vitest";
import {
  judgeBootOrder,
  planBootOrder,
  planBootOrderRemoval,
  type VariableStep,
} from "../../../node-agent/install/efi-boot-order.ts";
import {
  type DevicePathNode,
  decodeDevicePath,
  encodeDevicePath,
  isNetworkNode,
} from "../../../node-agent/install/efi-device-path.ts";
import {
  BOOT_ORDER,
  bootVariable,
  decodeBootOrder,
  decodeLoadOption,
  EFI_GLOBAL,
  encodeBootOrder,
  encodeLoadOption,
  parseBootVariable,
} from "../../../node-agent/install/efi-load-option.ts";
import { planLayout } from "../../../node-agent/install/layout.ts";
import { chanceOf, GIB, GUIDS, guid } from "./disk.ts";

function layoutOf(guids = GUIDS) {
  const outcome = planLayout({ sizeBytes: 20 * GIB, sectorBytes: 512 }, "uefi-x86_64", guids);
  if (outcome.kind !== "layout") throw new Error(outcome.reason);
  return outcome.layout;
}
const LAYOUT = layoutOf();

/** As EDK 2 wrote them into its variable store (QEMU, arm64 and x86-64): attributes of efivarfs in front. */
const EDK2 = {
  pxe4: "070000000100000056005500450046004900200050005800450076003400200028004d00410043003a003500320035003400300030003000300030003000300033002900000002010c00d041030a00000000010106000001030b2500525400000003000000000000000000000000000000000000000000000000000001030c1b0000000000000000000000000000000000000000000000007fff04004eac0881119f594d850ee21a522c59b2",
  http6:
    "07000000010000007b0055004500460049002000480054005400500076003600200028004d00410043003a003500320035003400300030003000300030003000300033002900000002010c00d041030a00000000010106000001030b2500525400000003000000000000000000000000000000000000000000000000000001030d3c000000000000000000000000000000000000000000000000000000000000000000000000000000004000000000000000000000000000000000031804007fff04004eac0881119f594d850ee21a522c59b2",
  disk: "0700000001000000200055004500460049002000510045004d005500200048004100520044004400490053004b00200051004d00300030003000300031002000000002010c00d041030a0000000001010600021f03120a000000ffff00007fff04004eac0881119f594d850ee21a522c59b2",
  setup:
    "07000000090100002c0055006900410070007000000004071400c9bdb87cebf8344faaea3ee4af6516a10406140021aa2c4614760345836e8ab6f46623317fff0400",
} as const;
const edk2 = (name: keyof typeof EDK2) => Buffer.from(EDK2[name], "hex");

const other = (description: string, path: DevicePathNode[] = []) =>
  encodeLoadOption({ attributes: 1, description, path, data: new Uint8Array(0) });
type Variables = Map<string, Uint8Array>;
const firmware = (entries: Record<number, Uint8Array>, order: number[]): Variables =>
  new Map([
    ...Object.entries(entries).map(([n, bytes]): [string, Uint8Array] => [bootVariable(Number(n)), bytes]),
    [BOOT_ORDER, encodeBootOrder(order)],
  ]);

/** A firmware that takes writes until `room` of them are used up, as a full NVRAM does. */
function apply(before: Variables, steps: readonly VariableStep[], room = Number.POSITIVE_INFINITY): Variables {
  const after = new Map(before);
  let left = room;
  for (const step of steps) {
    if (step.kind === "remove") after.delete(step.variable);
    else if (after.has(step.variable) || left-- > 0) after.set(step.variable, step.bytes);
  }
  return after;
}

const names = (variables: Variables): string[] =>
  decodeBootOrder(variables.get(BOOT_ORDER)).map((number) => {
    const reading = decodeLoadOption(variables.get(bootVariable(number)) ?? new Uint8Array(0));
    return reading.kind === "option" ? reading.option.description : `${number}?`;
  });

const OURS = [
  "Slipway OS",
  "Slipway OS (again 1)",
  "Slipway OS (again 2)",
  "Slipway OS (again 3)",
  "Slipway OS (second slot)",
];
const NETWORK = ["UEFI PXEv4 (MAC:525400000003)", "UEFI HTTPv6 (MAC:525400000003)"];
const REST = ["UiApp", "UEFI QEMU HARDDISK QM00001 "];
const FACTORY = firmware({ 0: edk2("setup"), 1: edk2("disk"), 2: edk2("pxe4"), 3: edk2("http6") }, [0, 1, 2, 3]);

describe("encodeDevicePath and decodeDevicePath", () => {
  const nodes: DevicePathNode[] = [
    { kind: "other", type: 1, subtype: 1, bytes: new Uint8Array([0, 3]) },
    { kind: "hard-drive", partition: 1, firstLba: 2048, lbas: 2_097_152, guid: guid(2) },
    { kind: "file", path: "/EFI/BOOT/BOOTX64.EFI" },
  ];
  test("give the same nodes", () => {
    const bytes = encodeDevicePath(nodes);
    expect(decodeDevicePath(bytes)).toEqual({ kind: "path", nodes, bytes: bytes.length });
  });
  test("write a hard drive's 42 bytes as UEFI has them", () =>
    expect(encodeDevicePath([nodes[1]!]).toString("hex")).toBe(
      "04012a00010000000008000000000000000020000000000002000000111122428333444444444444" + "0202" + "7fff0400",
    ));
  test("every truncation is damaged, and says where", () => {
    const bytes = encodeDevicePath(nodes);
    for (let length = 0; length < bytes.length; length++)
      expect(decodeDevicePath(bytes.subarray(0, length)).kind, `${length} bytes`).toBe("damaged");
    expect(decodeDevicePath(Buffer.from("04010300", "hex"))).toMatchObject({ at: 0, reason: /node of 3 bytes/ });
  });
});

describe("decodeLoadOption", () => {
  const READ: [keyof typeof EDK2, string, number, boolean][] = [
    ["pxe4", "UEFI PXEv4 (MAC:525400000003)", 1, true],
    ["http6", "UEFI HTTPv6 (MAC:525400000003)", 1, true],
    ["disk", "UEFI QEMU HARDDISK QM00001 ", 1, false],
    ["setup", "UiApp", 0x109, false],
  ];
  for (const [name, description, attributes, isNetwork] of READ) {
    test(`reads EDK 2's ${description}, and encodeLoadOption writes the same bytes`, () => {
      const reading = decodeLoadOption(edk2(name));
      if (reading.kind !== "option") throw new Error(reading.reason);
      expect(reading.option).toMatchObject({ description, attributes });
      expect(reading.option.path.some(isNetworkNode)).toBe(isNetwork);
      expect(encodeLoadOption(reading.option).toString("hex")).toBe(EDK2[name]);
    });
  }
  test("every truncation and random bytes give a value, never an exception", () => {
    const chance = chanceOf(3);
    const whole = edk2("setup");
    for (let length = 0; length < whole.length; length++)
      expect(decodeLoadOption(whole.subarray(0, length)).kind).toBe("damaged");
    for (let round = 0; round < 500; round++) {
      const bytes = edk2("pxe4");
      bytes[Math.floor(chance() * bytes.length)] = Math.floor(chance() * 256);
      expect(() => decodeLoadOption(bytes), `seed 3, round ${round}`).not.toThrow();
    }
  });
  test("parseBootVariable knows Boot#### only", () => {
    const number = (name: string) => parseBootVariable(`${name}-${EFI_GLOBAL}`);
    expect([
      number("Boot000A"),
      number("Boot000a"),
      number("BootOrder"),
      number("Boot00001"),
      parseBootVariable("Boot0001-x"),
    ]).toEqual([10, 10, undefined, undefined, undefined]);
  });
});

describe("planBootOrder", () => {
  test("puts ours first, then the network, then the rest; [] when run again", () => {
    const after = apply(FACTORY, planBootOrder(FACTORY, LAYOUT));
    expect(names(after)).toEqual([...OURS, ...NETWORK, ...REST]);
    expect(planBootOrder(after, LAYOUT)).toEqual([]);
    expect(judgeBootOrder(after, LAYOUT)).toEqual({ kind: "whole" });
  });
  test("works on a firmware that has no variable yet", () =>
    expect(names(apply(new Map(), planBootOrder(new Map(), LAYOUT)))).toEqual(OURS));
  test("names the entry before BootOrder names it, and removes after", () => {
    const stale = apply(FACTORY, planBootOrder(FACTORY, layoutOf({ ...GUIDS, EFI: guid(90), BOOT: guid(91) })));
    stale.set(bootVariable(20), other("Slipway OS (again 9)"));
    const kinds = planBootOrder(stale, LAYOUT).map((step) => (step.variable === BOOT_ORDER ? "order" : step.kind));
    expect(kinds).toEqual(["write", "write", "write", "write", "write", "remove"]);
  });
  test("five installs with new partitions leave no duplicate", () => {
    let variables: Variables = FACTORY;
    for (let install = 0; install < 5; install++) {
      const layout = layoutOf({ ...GUIDS, EFI: guid(100 + install), BOOT: guid(200 + install) });
      variables = apply(variables, planBootOrder(variables, layout));
      expect(names(variables)).toEqual([...OURS, ...NETWORK, ...REST]);
      expect(variables.size).toBe(10);
    }
  });
  test("leaves an order with the network first as the person set it", () => {
    const after = apply(FACTORY, planBootOrder(FACTORY, LAYOUT));
    const order = decodeBootOrder(after.get(BOOT_ORDER));
    const networkFirst = [order[5]!, order[6]!, ...order.slice(0, 5), ...order.slice(7)];
    after.set(BOOT_ORDER, encodeBootOrder(networkFirst));
    expect(planBootOrder(after, LAYOUT)).toEqual([]);
  });
  test("puts an entry back that the firmware lost", () => {
    const after = apply(FACTORY, planBootOrder(FACTORY, LAYOUT));
    const lost = bootVariable(decodeBootOrder(after.get(BOOT_ORDER))[2]!);
    after.delete(lost);
    expect(judgeBootOrder(after, LAYOUT)).toMatchObject({ kind: "partial", missing: ["Slipway OS (again 2)"] });
    expect(planBootOrder(after, LAYOUT).map((step) => step.variable)).toEqual([lost]);
  });
  test("a firmware that adds data behind the path makes no new entries", () => {
    const after = apply(FACTORY, planBootOrder(FACTORY, LAYOUT));
    for (const [name, bytes] of after)
      if (name.startsWith("Boot000")) after.set(name, Buffer.concat([bytes, Buffer.from("VENDOR")]));
    expect(planBootOrder(after, LAYOUT)).toEqual([]);
  });
  test("keeps another system's entry, and a damaged one, under their numbers", () => {
    const before = firmware(
      { 0: other("debian", [{ kind: "file", path: "/EFI/debian/shimx64.efi" }]), 1: new Uint8Array(3) },
      [0, 1],
    );
    const after = apply(before, planBootOrder(before, LAYOUT));
    expect(names(after)).toEqual([...OURS, "debian", "1?"]);
  });
});

describe("judgeBootOrder", () => {
  test("a full NVRAM is told in numbers, and does not fail", () => {
    for (let room = 0; room < 5; room++) {
      const after = apply(FACTORY, planBootOrder(FACTORY, LAYOUT), room);
      const outcome = judgeBootOrder(after, LAYOUT);
      expect(outcome).toMatchObject({ kind: room === 0 ? "none" : "partial", missing: OURS.slice(room) });
      expect("reason" in outcome && outcome.reason).toContain(`kept ${room} of 5`);
    }
  });
});

describe("planBootOrderRemoval", () => {
  test("leaves what was there before the install", () => {
    const after = apply(FACTORY, planBootOrder(FACTORY, LAYOUT));
    const removed = apply(after, planBootOrderRemoval(after));
    expect(names(removed)).toEqual([...NETWORK, ...REST]);
    expect(planBootOrderRemoval(removed)).toEqual([]);
  });
});
