import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildHostOf, openToolchain, prepareToolchain } from "../../../../boot-assets/image/kubernetes/toolchain.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-toolchain-"));
});
afterEach(() => rmSync(dir, { recursive: true }));
const SILENT = { say: () => {}, start: () => {}, add: () => {}, end: () => {} };

test("hosts with a pinned sum", () => {
  expect(buildHostOf("linux", "x64")).toBe("linux-amd64");
  expect(buildHostOf("linux", "arm64")).toBe("linux-arm64");
  expect(() => buildHostOf("darwin", "arm64")).toThrow("this host is darwin-arm64; Kubernetes is built on linux-amd64");
});

test("a module's zip lacks x bits and go.mod: both are put right, twice does no harm", () => {
  for (const path of ["bin", "pkg/tool/linux_amd64", "src/cmd"]) mkdirSync(join(dir, path), { recursive: true });
  for (const path of ["bin/go", "pkg/tool/linux_amd64/compile"]) writeFileSync(join(dir, path), "", { mode: 0o444 });
  writeFileSync(join(dir, "src/_go.mod"), "module std\n");
  prepareToolchain(dir);
  prepareToolchain(dir);
  for (const path of ["bin/go", "pkg/tool/linux_amd64/compile"]) {
    expect(statSync(join(dir, path)).mode & 0o777).toBe(0o555);
  }
  expect(readFileSync(join(dir, "src/go.mod"), "utf8")).toBe("module std\n");
});

/** A program that answers `go mod download -json` as given. */
function goThatSays(answer: object): { command: string[]; env: Record<string, string> } {
  const file = join(dir, "go");
  writeFileSync(file, `#!/bin/sh\ncat <<'END'\n${JSON.stringify(answer)}\nEND\n`, { mode: 0o755 });
  return { command: [file], env: {} };
}

test("another toolchain than the pinned one is refused", async () => {
  const go = goThatSays({ Dir: dir, Sum: "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" });
  await expect(openToolchain(go, dir, SILENT, 0)).rejects.toMatchObject({ code: "ASSET_DAMAGED" });
});

test("a Go that fails is told with its last lines", async () => {
  const file = join(dir, "go");
  writeFileSync(file, "#!/bin/sh\necho 'toolchain: 404 not available' >&2\nexit 1\n", { mode: 0o755 });
  const opened = openToolchain({ command: [file], env: {} }, dir, SILENT, 0);
  await expect(opened).rejects.toMatchObject({
    code: "COMMAND_FAILED",
    message: expect.stringContaining("toolchain: 404 not available"),
    remedy: expect.stringContaining("docs/kubernetes-versions.md"),
  });
});
