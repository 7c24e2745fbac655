// The set-up's own rules: which hosts, which packages, which sum. What it installs is proven by running it (.ci/run).
import { expect, test } from "vitest";

// The set-up is plain JavaScript, because it runs before TypeScript's tools are there: its types are stated here.
const load = (name: string) => import(new URL(`../../setup/${name}`, import.meta.url).href);
const { hostFault } = (await load("need-host.mjs")) as {
  hostFault(osRelease: string, arch: string): string | undefined;
};
const { missingPackages } = (await load("need-packages.mjs")) as {
  missingPackages(names: readonly string[], statusLines: string): string[];
};
const { countTests } = (await load("runs.mjs")) as {
  countTests(report: string | undefined, exitCode: number): { passed: number; failed: number };
};
type Lock = {
  packages: Record<
    string,
    { version?: string; integrity?: string; optional?: boolean; os?: string[]; cpu?: string[]; libc?: string[] }
  >;
};
const { differences } = (await load("need-node-modules.mjs")) as {
  differences(lock: Lock, installed: Lock): string[];
};
const { closedDirectory } = (await load("open-to-others.mjs")) as {
  closedDirectory(path: string, modeOf: (directory: string) => number): string | undefined;
};
const { formatSeconds } = (await load("say.mjs")) as { formatSeconds(seconds: number): string };

const BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n';
const HOSTS = [
  { name: "Debian 12, amd64", osRelease: BOOKWORM, arch: "x64", want: undefined },
  { name: "Debian 13, amd64", osRelease: "ID=debian\nVERSION_ID=13", arch: "x64", want: undefined },
  { name: "Debian 12, arm64", osRelease: BOOKWORM, arch: "arm64", want: /processor is arm64; .* amd64/ },
  { name: "Debian 11", osRelease: "ID=debian\nVERSION_ID=11", arch: "x64", want: /debian 11; .* Debian 12 and 13/ },
  { name: "another system", osRelease: 'PRETTY_NAME="Foo 9"\nID=foo', arch: "x64", want: /this is Foo 9;/ },
  { name: "a host without os-release", osRelease: "", arch: "x64", want: /an unknown system/ },
];
for (const { name, osRelease, arch, want } of HOSTS) {
  test(`hostFault of ${name}`, () => {
    const fault = hostFault(osRelease, arch);
    if (want === undefined) expect(fault).toBeUndefined();
    else expect(fault).toMatch(want);
  });
}

test("missingPackages counts only what is fully installed", () => {
  const status = [
    "qemu-system-arm install ok installed",
    "ovmf:all install ok installed",
    "mtools deinstall ok config-files",
    "curl install ok half-configured",
  ].join("\n");
  expect(missingPackages(["qemu-system-arm", "ovmf", "mtools", "curl", "strace"], status)).toEqual([
    "mtools",
    "curl",
    "strace",
  ]);
});

const report = (passed: number, failed: number, files: unknown[] = []) =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults: files });
const REPORTS = [
  { name: "a good run", report: report(5, 0), code: 0, want: { passed: 5, failed: 0 } },
  { name: "failed tests", report: report(5, 2), code: 1, want: { passed: 5, failed: 2 } },
  {
    name: "a file that could not be loaded",
    report: report(5, 0, [{ status: "failed", assertionResults: [] }]),
    code: 1,
    want: { passed: 5, failed: 1 },
  },
  { name: "an error outside all tests", report: report(5, 0), code: 1, want: { passed: 5, failed: 1 } },
  { name: "a run that broke off", report: undefined, code: 139, want: { passed: 0, failed: 1 } },
];
for (const { name, report: text, code, want } of REPORTS) {
  test(`countTests of ${name}`, () => expect(countTests(text, code)).toEqual(want));
}

test("formatSeconds", () => {
  expect([8.14, 59.9, 125].map(formatSeconds)).toEqual(["8.1 s", "59.9 s", "2 min 5 s"]);
});

test("differences names what is missing or of another version, and lets only other hosts' packages be missing", () => {
  const lock = {
    packages: {
      "": { version: "0.1.0" },
      "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
      "node_modules/b": { version: "1.0.0", integrity: "sha512-b" },
      "node_modules/c": { version: "1.0.0", integrity: "sha512-c" },
      "node_modules/native": { version: "1.0.0", optional: true, os: ["linux"], cpu: ["x64"], libc: ["glibc"] },
      "node_modules/musl": { version: "1.0.0", optional: true, os: ["linux"], cpu: ["x64"], libc: ["musl"] },
      "node_modules/other-host": { version: "1.0.0", optional: true, os: ["win32"], cpu: ["x64"] },
    },
  };
  const installed = {
    packages: {
      "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
      "node_modules/b": { version: "0.9.0", integrity: "sha512-old" },
      "node_modules/extra": { version: "1.0.0" },
    },
  };
  expect(differences(lock, installed)).toEqual(["node_modules/b", "node_modules/c", "node_modules/native"]);
});

test("closedDirectory names the highest directory that others may not pass", () => {
  const modes: Record<string, number> = {
    "/": 0o755,
    "/home": 0o755,
    "/home/anna": 0o700,
    "/home/anna/slipway": 0o750,
  };
  const modeOf = (directory: string) => modes[directory]!;
  expect(closedDirectory("/home/anna/slipway", modeOf)).toBe("/home/anna");
  expect(closedDirectory("/home", modeOf)).toBeUndefined();
});
