// `node boot-assets/image/kubernetes/check.ts`: runs every program of a finished build on this host by each of its names,
// prints what it says its version is, and fails when that is not the pinned one. Nothing is started that stays.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { cacheDirOf } from "../cache.ts";
import { ARCHES } from "../packages.ts";
import { openProgress } from "../progress.ts";
import type { Tree } from "../tree.ts";
import { buildKubernetes, openTools } from "./build.ts";
import { POD_PROGRAMS, PROGRAMS } from "./programs.ts";
import { buildHostOf } from "./toolchain.ts";
import { type ComponentName, versionOf } from "./versions.ts";

type Check = { name: string; args: readonly string[]; component: ComponentName };
const check = (component: ComponentName, args: readonly string[], ...names: string[]): Check[] =>
  names.map((name) => ({ name, args, component }));

/** How each program is asked. CNI plugins tell when nobody gives them a command. */
export const CHECKS: readonly Check[] = [
  ...check("Kubernetes", ["--version"], "kubelet", ...POD_PROGRAMS),
  ...check("Kubernetes", ["version", "--client"], "kubectl"),
  ...check("etcd", ["--version"], "etcd"),
  ...check("etcd", ["version"], "etcdutl"),
  ...check("CoreDNS", ["-version"], "coredns"),
  ...check("flannel", ["-version"], "flanneld"),
  ...check("containerd", ["--version"], "containerd", "ctr"),
  ...check("containerd", ["-v"], "containerd-shim-runc-v2"),
  ...check("CNI plugins", [], "bridge", "loopback", "host-local", "portmap"),
];

/** Of this repository: it has no release, and so no version to say. */
const UNVERSIONED = "slipway-balancer";

/** All names that something may call a program by, and that have a version. */
export const calledNames = (): string[] =>
  PROGRAMS.flatMap(({ target, links }) => [
    // The Kubernetes program's own name is nobody's.
    ...(target === "kubernetes" ? POD_PROGRAMS : [target]),
    ...links.map((link) => link.slice(link.lastIndexOf("/") + 1)),
  ]).filter((name) => name !== UNVERSIONED);

function layOut(tree: Tree, dir: string): void {
  for (const [path, entry] of tree) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    if (entry.kind === "file") writeFileSync(join(dir, path), entry.bytes, { mode: entry.mode });
    else if (entry.kind === "link") symlinkSync(entry.target, join(dir, path));
  }
}

/** What it prints, and the seconds that it took: a program that many short-lived processes are made of must start fast. */
function ask(file: string, { name, args }: Check): { text: string; ms: number } {
  const startedMs = performance.now();
  const env = { PATH: "/usr/bin:/bin", HOME: "/nonexistent" };
  const { stdout, stderr } = spawnSync(file, args, { argv0: name, env, encoding: "utf8", timeout: 60_000 });
  return { text: `${stdout ?? ""}${stderr ?? ""}`.trim(), ms: performance.now() - startedMs };
}

async function main(): Promise<void> {
  const cacheDir = cacheDirOf(process.env);
  const progress = openProgress(process.stderr);
  const host = buildHostOf(process.platform, process.arch);
  const arch = ARCHES.find((each) => host.endsWith(each))!;
  const { files } = await buildKubernetes({ arch, cacheDir, tools: await openTools(cacheDir, progress), progress });
  const dir = mkdtempSync(join(tmpdir(), "slipway-kubernetes-"));
  const faults: string[] = [];
  try {
    layOut(files, dir);
    for (const each of CHECKS) {
      const path = PROGRAMS.flatMap((program) => [program.path, ...program.links]).find((at) =>
        at.endsWith(`/${each.name}`),
      );
      const { text, ms } = ask(join(dir, path ?? PROGRAMS[0]!.path), each);
      const wanted = versionOf(each.component);
      if (!text.includes(wanted))
        faults.push(`${each.name} does not say that it is ${wanted}: ${JSON.stringify(text)}`);
      process.stdout.write(`${each.name} (${ms.toFixed(0)} ms): ${text.replaceAll(/\s*\n\s*/g, "; ")}\n`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  if (faults.length > 0) throw new SlipwayError("INTERNAL", faults.join("\n"));
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    if (!(error instanceof SlipwayError)) throw error;
    process.stderr.write(`${error.message}\n${error.remedy}\n`);
    process.exitCode = 1;
  });
}
