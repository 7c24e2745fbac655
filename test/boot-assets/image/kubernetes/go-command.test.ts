import { expect, test } from "vitest";
import {
  buildArguments,
  buildEnvironment,
  compileSettings,
  fetchEnvironment,
  listArguments,
  toolchainModule,
} from "../../../../boot-assets/image/kubernetes/go-command.ts";
import { PROGRAMS } from "../../../../boot-assets/image/kubernetes/programs.ts";

const HOST = {
  PATH: "/bin",
  HOME: "/home/x",
  GOPROXY: "https://proxy.example.org",
  GOFLAGS: "-mod=mod",
  GOROOT: "/go",
};

test("one go build makes all programs: trimmed, stripped, without version control", () => {
  const args = buildArguments("/out");
  expect(args.slice(0, 2)).toEqual(["build", "-v"]);
  expect(args).toContain("-trimpath");
  expect(args).toContain("-buildvcs=false");
  expect(args).toContain("-o=/out/");
  expect(args.filter((arg) => arg.startsWith("-p="))).toEqual([]);
  expect(args.find((arg) => arg.startsWith("-ldflags="))).toMatch(/^-ldflags=-s -w -buildid= (-X \S+=\S* ?)+$/);
  expect(args.slice(-PROGRAMS.length)).toEqual(PROGRAMS.map(({ source }) => source));
});

test("the number of jobs is Go's -p", () => expect(buildArguments("/out", 3)).toContain("-p=3"));

test("go list sees the packages that go build sees", () => {
  const flags = (args: string[]) => args.filter((arg) => /^-(trimpath|buildvcs|tags)/.test(arg));
  expect(flags(listArguments())).toEqual(flags(buildArguments("/out")));
});

test("nothing that a person set decides a byte; where modules are fetched from is theirs", () => {
  const fetch = buildEnvironment(HOST, "/cache/go", "arm64", "fetch");
  expect(fetch.GOPROXY).toBe(HOST.GOPROXY);
  const compile = buildEnvironment(HOST, "/cache/go", "arm64", "compile");
  expect(compile).toMatchObject({ ...compileSettings("arm64"), GOENV: "off", GOPROXY: "off", GOFLAGS: "" });
  expect(compile).toMatchObject({ CGO_ENABLED: "0", GOARCH: "arm64", GOOS: "linux", GOTOOLCHAIN: "local" });
  expect(compile.GOROOT).toBeUndefined();
  expect(compile.GOCACHE).toBe("/cache/go/build");
});

test("the toolchain is a module, fetched without switching toolchains", () => {
  expect(toolchainModule("linux-amd64")).toMatch(/^golang\.org\/toolchain@v0\.0\.1-go1\.\d+\.\d+\.linux-amd64$/);
  expect(fetchEnvironment(HOST, "/cache/go")).toMatchObject({ GOTOOLCHAIN: "local", GOFLAGS: "-modcacherw" });
});
