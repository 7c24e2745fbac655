// A container image with the host's busybox in it, for pods that serve and ask: nodes have no way out and the OS holds no
// workload. Called by nodes.integration.test.ts.
import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { writeImageArchive } from "../../../boot-assets/image/kubernetes/archive.ts";
import { addParents, type Tree } from "../../../boot-assets/image/tree.ts";

export const TEST_IMAGE = "slipway.test/busybox:v1";
const APPLETS = ["sh", "httpd", "wget", "nslookup", "hostname", "sleep", "cat"];

/** An OCI tar for `ctr images import`. Needs busybox on the host (Debian's busybox package). */
export function testImage(): Uint8Array {
  const tree: Tree = new Map();
  const program = (path: string, from: string) =>
    tree.set(path, { kind: "file", mode: 0o755, bytes: readFileSync(realpathSync(from)), from: "host" });
  program("bin/busybox", "/usr/bin/busybox");
  const libraries = execFileSync("ldd", ["/usr/bin/busybox"])
    .toString()
    .matchAll(/(\/\S+)\s+\(0x/g);
  for (const [, path] of libraries) program(path!.slice(1), path!);
  for (const applet of APPLETS) tree.set(`bin/${applet}`, { kind: "link", target: "busybox", from: "host" });
  for (const path of ["dev", "etc", "proc", "sys", "tmp", "www"])
    tree.set(path, { kind: "dir", mode: 0o755, from: "host" });
  addParents(tree);
  const arch = process.arch === "arm64" ? "arm64" : "amd64";
  return writeImageArchive({ name: TEST_IMAGE, arch, created: "2026-01-01T00:00:00Z", root: tree });
}
