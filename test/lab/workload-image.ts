// A container image for the lab's workloads, made on the spot: Debian's busybox with the libraries that it is linked to, as
// `docker save` would write it. No image is in the OS, none comes from a registry. Called by tests of clusters.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { writeTar } from "../../boot-assets/image/tar.ts";
import { addParents, type Tree } from "../../boot-assets/image/tree.ts";

export const WORKLOAD_IMAGE = "example.test/lab/busybox:1";

/** What the tests' pods run; `tar` is what `kubectl cp` wants of them. */
const APPLETS = [
  "sh",
  "cat",
  "echo",
  "ls",
  "sleep",
  "tar",
  "wget",
  "httpd",
  "nslookup",
  "hostname",
  "date",
  "kill",
  "seq",
  "timeout",
];

const file = (bytes: Uint8Array, mode: number) => ({ kind: "file", mode, bytes, from: "lab" }) as const;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function* bytesOf(tree: Tree): Generator<Uint8Array> {
  yield* writeTar(tree);
}
const tarOf = (tree: Tree): Buffer => Buffer.concat([...bytesOf(tree)]);

/** Paths of the loader and the libraries of a program, as ldd names them. */
function librariesOf(program: string): string[] {
  const lines = execFileSync("ldd", [program]).toString().split("\n");
  return lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function layer(): Buffer {
  const busybox = "/bin/busybox";
  const tree: Tree = new Map([["bin/busybox", file(readFileSync(busybox), 0o755)]]);
  for (const path of librariesOf(busybox)) {
    tree.set(path.slice(1), file(readFileSync(realpathSync(path)), 0o755));
  }
  for (const applet of APPLETS) tree.set(`bin/${applet}`, { kind: "link", target: "busybox", from: "lab" });
  for (const dir of ["bin", "tmp", "etc", "www", "proc", "sys", "dev"]) {
    tree.set(dir, { kind: "dir", mode: dir === "tmp" || dir === "www" ? 0o777 : 0o755, from: "lab" });
  }
  tree.set("etc/passwd", file(Buffer.from("root:x:0:0:root:/:/bin/sh\n"), 0o644));
  addParents(tree);
  return tarOf(tree);
}

/** Writes the archive for `slipway images import`. */
export function writeWorkloadImage(path: string): void {
  const content = layer();
  const config = Buffer.from(
    JSON.stringify({
      ...{ architecture: "amd64", os: "linux" },
      config: { Env: ["PATH=/bin"], Cmd: ["/bin/sh"] },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(content)}`] },
    }),
  );
  const name = `${sha256(config)}.json`;
  const manifest = [{ Config: name, RepoTags: [WORKLOAD_IMAGE], Layers: ["layer.tar"] }];
  const archive: Tree = new Map([
    ["layer.tar", file(content, 0o644)],
    [name, file(config, 0o644)],
    ["manifest.json", file(Buffer.from(JSON.stringify(manifest)), 0o644)],
  ]);
  writeFileSync(path, tarOf(archive));
}
