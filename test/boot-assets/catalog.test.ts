import { expect, test } from "vitest";
import { pickImage } from "../../boot-assets/catalog.ts";

const image = (arch: "amd64" | "arm64", variant: "base" | "full", version: string) => ({ arch, variant, version });
const ALL = [
  image("amd64", "base", "0.10.0"),
  image("amd64", "base", "0.9.0"),
  image("amd64", "full", "0.2.0"),
  image("arm64", "base", "0.1.0"),
];

test("pickImage prefers full, then the higher version, numbers compared as numbers", () => {
  expect(pickImage(ALL, { arch: "amd64" })).toEqual(image("amd64", "full", "0.2.0"));
  expect(pickImage(ALL, { arch: "amd64", variant: "base" })).toEqual(image("amd64", "base", "0.10.0"));
  expect(pickImage(ALL, { arch: "arm64" })).toEqual(image("arm64", "base", "0.1.0"));
});

test("pickImage answers undefined when there is none", () => {
  expect(pickImage(ALL, { arch: "arm64", variant: "full" })).toBeUndefined();
  expect(pickImage([], { arch: "amd64" })).toBeUndefined();
});
