// The smallest EFI program there is: it prints one line on the firmware's console and stays there. On a lab machine's
// disk it proves that the firmware really went on to it. Written by hand, because no assembler or linker is needed for
// ten instructions and every build host has Node. Called by disk.ts.
// Layout: one section, file offset = address, so that the program needs no relocation.
// Source: Microsoft PE Format (PE32+ image, optional header magic 0x20b); UEFI 2.10 §4.3 (system table), §12.4 (ConOut).

type Target = { machine: number; code: (messageAt: number) => number[] };

/** Code begins here; the headers before it are shorter. */
const CODE_AT = 0x200;
const IMAGE_BYTES = 0x1000;

const le = (value: number, bytes: number) => Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);

/** Entry point: image handle and system table in the first two argument registers; ConOut at +0x40, OutputString at +8. */
const TARGETS: Record<"x86_64" | "arm64", Target> = {
  x86_64: {
    machine: 0x8664,
    code: (messageAt) => [
      ...[0x48, 0x83, 0xec, 0x28], //             sub rsp, 40      (Microsoft ABI: shadow space, 16-byte alignment)
      ...[0x48, 0x8b, 0x4a, 0x40], //             mov rcx, [rdx+0x40]
      ...[0x48, 0x8d, 0x15, ...le(messageAt - 15, 4)], // lea rdx, [rip+message]
      ...[0xff, 0x51, 0x08], //                   call [rcx+8]
      ...[0xf3, 0x90, 0xeb, 0xfc], //             pause; jmp back to it
    ],
  },
  arm64: {
    machine: 0xaa64,
    code: (messageAt) =>
      [
        0xf9402020, //                            ldr x0, [x1, #0x40]
        adr(1, messageAt - 4), //                 adr x1, message
        0xf9400402, //                            ldr x2, [x0, #8]
        0xd63f0040, //                            blr x2
        0x14000000, //                            b .
      ].flatMap((word) => le(word, 4)),
  },
};

/** AArch64 `adr register, distance` (Arm ARM C6.2.10): 21 bits, the lowest two apart from the rest. */
const adr = (register: number, distance: number) =>
  (0x10000000 | ((distance & 3) << 29) | ((distance >> 2) << 5) | register) >>> 0;

/**
 * An EFI application that prints `message` and then waits for ever.
 *
 * @param message plain ASCII; a line end is added.
 */
export function efiProgram(arch: keyof typeof TARGETS, message: string): Buffer {
  const { machine, code } = TARGETS[arch];
  const messageAt = code(0).length + (code(0).length % 2);
  const image = Buffer.alloc(IMAGE_BYTES);
  image.write("MZ", 0, "latin1");
  image.writeUInt32LE(0x40, 0x3c);
  const coff = [...le(machine, 2), ...le(1, 2), ...le(0, 12), ...le(0xf0, 2), ...le(0x222e, 2)];
  const optional = [
    ...[...le(0x20b, 2), 0, 0, ...le(IMAGE_BYTES - CODE_AT, 4), ...le(0, 8)], // magic, linker, code, data
    ...[...le(CODE_AT, 4), ...le(CODE_AT, 4), ...le(0, 8)], // entry point, base of code, image base
    ...[...le(0x200, 4), ...le(0x200, 4), ...le(0, 16)], // alignments, versions
    ...[...le(IMAGE_BYTES, 4), ...le(CODE_AT, 4), ...le(0, 4)], // size of image, of headers, checksum
    ...[...le(10, 2), ...le(0, 2), ...le(0, 32)], // subsystem 10 = EFI application; stack and heap
    ...[...le(0, 4), ...le(16, 4), ...le(0, 128)], // 16 empty data directories
  ];
  const section = [
    ...Buffer.from(".text\0\0\0"),
    ...[...le(IMAGE_BYTES - CODE_AT, 4), ...le(CODE_AT, 4)], // virtual size and address
    ...[...le(IMAGE_BYTES - CODE_AT, 4), ...le(CODE_AT, 4)], // size and place in the file
    ...[...le(0, 12), ...le(0xe0000060, 4)], // no relocations; code, readable, writable, executable
  ];
  Buffer.from([...Buffer.from("PE\0\0"), ...coff, ...optional, ...section]).copy(image, 0x40);
  Buffer.from(code(messageAt)).copy(image, CODE_AT);
  Buffer.from(`${message}\r\n\0`, "utf16le").copy(image, CODE_AT + messageAt);
  return image;
}
