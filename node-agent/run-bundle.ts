// Makes the agent one file for the image: esbuild's bundle of main.ts, and koffi's native part beside it. Edge: build time
// only, on the build host; boot-assets/image calls it. The same sources give the same bytes on every host.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { SlipwayError } from "../server/contract/errors.ts";

export type BundleArch = "amd64" | "arm64";
/** Paths below `outDir`, in the order in which they are written. */
export type Bundle = { entry: string; native: string };

const ROOT = join(import.meta.dirname, "..");
const NODE_ARCH: Record<BundleArch, string> = { amd64: "x64", arm64: "arm64" };

/** grpc-js is CommonJS inside and asks for `require`. */
const BANNER = `import { createRequire as slipwayRequire } from "node:module";
const require = slipwayRequire(import.meta.url);`;

/**
 * Node's own modules by getBuiltinModule, not by import: an import asks for every one of a module's names, and among those of
 * node:http and node:crypto are getters that load undici and Web Crypto. Without them the start costs a fifth less of processor.
 */
const BUILTINS: Plugin = {
  name: "builtins",
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === "import-statement" ? { path, namespace: "builtin" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      loader: "js",
    }));
  },
};

/** Where the agent looks for koffi's native part, below the directory of its bundle (open-libc.ts). */
const nativePath = (arch: BundleArch): string =>
  `node_modules/@koromix/koffi-linux-${NODE_ARCH[arch]}/linux_${NODE_ARCH[arch]}/koffi.node`;

/** The agent as one ESM file, the same for every architecture. */
export async function bundleAgentFile(): Promise<Uint8Array> {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  const { outputFiles } = await build({
    // Relative paths only: absolute ones would put this host's directories into the bundle's comments.
    absWorkingDir: ROOT,
    entryPoints: ["node-agent/main.ts"],
    write: false,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // White space stays: a fault prints its source line, and the whole agent must not be that line.
    minifySyntax: true,
    legalComments: "none",
    charset: "utf8",
    // koffi: only its native part is used. proto-loader: grpc-js asks for it to describe itself to debuggers, which nobody
    // does here; 190 kB that would never run.
    external: ["koffi", "@grpc/proto-loader"],
    define: { "process.env.SLIPWAY_VERSION": JSON.stringify(version) },
    banner: { js: BANNER },
    plugins: [BUILTINS],
    logLevel: "error",
  });
  return outputFiles[0]!.contents;
}

/**
 * Writes `agent.mjs` and koffi's native part into a directory.
 *
 * @param outDir is made when missing; in the image it is /usr/lib/slipway.
 * @returns what to start, and what must lie beside it.
 * @throws ASSET_DAMAGED when a fetched koffi is not the one that package-lock.json names.
 */
export async function bundleAgent(outDir: string, arch: BundleArch): Promise<Bundle> {
  mkdirSync(outDir, { recursive: true });
  writeFileSync(join(outDir, "agent.mjs"), await bundleAgentFile());
  const native = nativePath(arch);
  copyKoffi(arch, join(outDir, native));
  return { entry: "agent.mjs", native };
}

/** From node_modules for this host's architecture; the other one is fetched by npm and checked against the lockfile. */
function copyKoffi(arch: BundleArch, to: string): void {
  const name = `@koromix/koffi-linux-${NODE_ARCH[arch]}`;
  const file = join(`linux_${NODE_ARCH[arch]}`, "koffi.node");
  mkdirSync(join(to, ".."), { recursive: true });
  const installed = join(ROOT, "node_modules", name, file);
  if (existsSync(installed)) {
    cpSync(installed, to);
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), "slipway-koffi-"));
  try {
    const tarball = fetchLocked(name, dir);
    execFileSync("tar", ["-xzf", tarball, "-C", dir, `package/${file}`]);
    cpSync(join(dir, "package", file), to);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

type Lock = { packages: Record<string, { version: string; integrity: string } | undefined> };

/** The tarball of a package as package-lock.json pins it. */
function fetchLocked(name: string, dir: string): string {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lock;
  const pinned = lock.packages[`node_modules/${name}`];
  if (pinned === undefined) throw new SlipwayError("ASSET_MISSING", `package-lock.json does not name ${name}`);
  const output = execFileSync("npm", ["pack", `${name}@${pinned.version}`, "--silent", "--pack-destination", dir], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const tarball = join(dir, output.trim().split("\n").at(-1)!);
  const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (integrity === pinned.integrity) return tarball;
  throw new SlipwayError(
    "ASSET_DAMAGED",
    `${name}@${pinned.version}: ${integrity} came, ${pinned.integrity} is locked`,
  );
}
