import { expect, test } from "vitest";
import { parseDeb822 } from "../../../boot-assets/image/deb822.ts";

const TEXT = `Package: libc6
Version: 2.41-12
Depends: libgcc-s1,
 libidn2-0 (>= 2.0.5)
# a comment
Filename: pool/main/g/glibc/x.deb


Package: kmod
Description: tools
 .
 two lines
`;

test("parseDeb822 reads paragraphs, joins continuation lines, drops comments", () => {
  const [first, second, ...rest] = [...parseDeb822(TEXT)];
  expect(first!.get("depends")).toBe("libgcc-s1,\nlibidn2-0 (>= 2.0.5)");
  expect(first!.get("filename")).toBe("pool/main/g/glibc/x.deb");
  expect(second!.get("package")).toBe("kmod");
  expect(rest).toEqual([]);
});

test("parseDeb822 gives nothing for nothing, and skips a line without a field", () => {
  expect([...parseDeb822("\n\n")]).toEqual([]);
  expect([...parseDeb822("rubbish\nA: b")]).toEqual([new Map([["a", "b"]])]);
});
