// `kubectl …`: the program that was built with the OS image, run under its own name, with a way into the only cluster when
// KUBECONFIG names none. The certificate is good for half a day and kept in the user's cache, readable by its owner only.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { constants, homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { findKubectl } from "../../boot-assets/image/kubernetes/find-kubectl.ts";
import { SlipwayError } from "../contract/errors.ts";
import { parseCertificatePem } from "../contract/pki/certificate.ts";
import type { ClusterStatusView } from "../rest/cluster-schema.ts";
import { clusterName } from "./cluster-commands.ts";
import { findSocket } from "./find-socket.ts";
import { fetchKubeconfig } from "./kubeconfig-commands.ts";
import { assertReplaceable, replaceFile } from "./kubeconfig-file.ts";
import { openDesk } from "./output.ts";

const LIFETIME_MS = 12 * 3_600_000;
/** A `kubectl logs -f` that is begun now should not end at once. */
const LEAST_LEFT_MS = 2 * 3_600_000;
/** What needs no cluster. */
const LOCAL = new Set(["version", "help", "completion", "config", "kustomize", "options", "plugin"]);

/** @returns kubectl's own exit code, or 128 and the signal's number as a shell has it. */
export async function runKubectl(args: readonly string[]): Promise<number> {
  const program = findKubectl(process.env);
  if (program === undefined)
    throw new SlipwayError("ASSET_MISSING", "kubectl is not built yet on this machine", {
      remedy: "`npm run assets` builds it with the OS image; a kubectl of your own works with `slipway kubeconfig`.",
    });
  const env = { ...process.env };
  const isLocal = args[0] === undefined || LOCAL.has(args[0]) || args.includes("--help");
  const isNamed = env.KUBECONFIG || args.some((arg) => arg.startsWith("--kubeconfig"));
  if (!isNamed && !isLocal) env.KUBECONFIG = await ownKubeconfig();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { argv0: "kubectl", stdio: "inherit", env });
    // A terminal sends Ctrl-C to both, and kubectl ends in its own way; what is sent to this process alone is handed on.
    const handOn = Object.entries({
      SIGINT: () => {},
      SIGTERM: () => child.kill("SIGTERM"),
      SIGHUP: () => child.kill("SIGHUP"),
    });
    for (const [signal, act] of handOn) process.on(signal, act);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      for (const [name, act] of handOn) process.off(name, act);
      resolve(code ?? 128 + (constants.signals[signal ?? "SIGTERM"] ?? 15));
    });
  });
}

async function ownKubeconfig(): Promise<string> {
  const socket = await findSocket({}, process.env);
  const desk = await openDesk({ output: "json", socket });
  const cluster = await clusterName(desk, undefined);
  const { endpoint = "", createdAt } = await desk.client.get<ClusterStatusView>(`/v1/clusters/${cluster}`);
  // Another appliance, or a cluster made anew under the same name, must not be met with the old one's key.
  const key = createHash("sha256").update([socket, cluster, createdAt, endpoint].join(" ")).digest("hex").slice(0, 16);
  const dir = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "slipway", "kubeconfig");
  const path = join(dir, `${cluster}-${key}.yaml`);
  if (isGood(path)) return path;
  // Before a certificate is issued for it: each of them is in the audit.
  orSayWhere(path, () => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    assertReplaceable(path);
  });
  const text = await fetchKubeconfig(desk, cluster, { lifetimeMs: LIFETIME_MS });
  orSayWhere(path, () => replaceFile(path, text));
  return path;
}

function orSayWhere(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    // An earlier `sudo -E` may have made the directory root's.
    throw new SlipwayError("NO_PERMISSION", `${path} cannot be written: ${(cause as Error).message}`, {
      cause,
      remedy: "Give that directory to this user, or name a kubeconfig with KUBECONFIG.",
    });
  }
}

function isGood(path: string): boolean {
  try {
    const config = parse(readFileSync(path, "utf8")) as { users: { user: Record<string, string> }[] };
    const pem = Buffer.from(config.users[0]?.user["client-certificate-data"] ?? "", "base64").toString("latin1");
    return parseCertificatePem(pem).notAfter.getTime() - Date.now() > LEAST_LEFT_MS;
  } catch {
    return false; // Absent, or not whole: it is made anew.
  }
}
