// What is wrong with a lab before anything of it starts: an option, or a dataDir without the images that it needs. Pure: whether
// a file is there is asked of an argument. Called by check-lab.ts (before the host is prepared) and run-lab.ts.
import { join, resolve } from "node:path";
import { ERRORS } from "../../server/contract/errors.ts";
import { type LabOptions, parseLabOptions, USAGE } from "./lab-options.ts";
import { FIRMWARES } from "./qemu-arguments.ts";

/** `code` is the exit code. */
export type LabVerdict =
  | { kind: "lab"; options: LabOptions }
  | { kind: "help"; text: string; code: 0 }
  | { kind: "refused"; text: string; code: number };

const WRONG_USAGE = 2;

export function judgeLab(args: readonly string[], isThere: (path: string) => boolean): LabVerdict {
  if (args.includes("--help") || args.includes("-h")) return { kind: "help", text: USAGE, code: 0 };
  let options: LabOptions;
  try {
    options = parseLabOptions(args);
  } catch (error) {
    return { kind: "refused", text: `${(error as Error).message}\n\n${USAGE}`, code: WRONG_USAGE };
  }
  const fault = assetFault(options, isThere);
  return fault === undefined
    ? { kind: "lab", options }
    : { kind: "refused", text: fault, code: ERRORS.ASSET_MISSING.exit };
}

/** @returns what is missing and what to do, in two lines; undefined when the lab can begin. */
function assetFault(options: LabOptions, isThere: (path: string) => boolean): string | undefined {
  const { cluster } = options;
  const dataDir = resolve(options.dataDir);
  const assets = join(dataDir, "assets");
  // The signature is an image's last file.
  const has = (arch: string, variant: string) => isThere(join(assets, "images", `${arch}-${variant}`, "manifest.sig"));
  const isEnough = (arch: string) => has(arch, "full") || (cluster === undefined && has(arch, "base"));
  const wanted = cluster !== undefined && !cluster.isVm ? ["amd64"] : options.firmwares.map(archOf);
  const missing = [...new Set(wanted)].filter((arch) => !isEnough(arch));
  const [what, variant] = cluster === undefined ? ["no image", "base"] : ["no image with Kubernetes in it", "full"];
  const build = (archs: readonly string[]) =>
    `Run \`npm run assets -- --data-dir ${dataDir} --arch ${archs.join(",")} --variant ${variant}\`${
      variant === "full" ? " (the first time it compiles for half an hour)" : ""
    }, or leave --data-dir out.`;
  if (missing.length > 0) return `${assets} has ${what} for ${missing.join(" and ")}\n${build(missing)}`;
  if (isThere(join(assets, "ipxe", "ipxe.json"))) return undefined;
  return `${assets} has no iPXE loaders (ipxe/ipxe.json)\n${build([...new Set(wanted)])}`;
}

const archOf = (firmware: LabOptions["firmwares"][number]): "amd64" | "arm64" =>
  FIRMWARES[firmware].program === "qemu-system-aarch64" ? "arm64" : "amd64";

/** Help is an answer, a refusal is not. */
export function tellVerdict(
  verdict: Exclude<LabVerdict, { kind: "lab" }>,
  say = { out: console.log, fault: console.error },
): number {
  if (verdict.kind === "help") say.out(verdict.text);
  else say.fault(verdict.text);
  return verdict.code;
}
