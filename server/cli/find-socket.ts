// Where the appliance listens: --socket, then SLIPWAY_SOCKET, then the settings file's dataDir. Every command but `serve`.
import { resolve } from "node:path";
import { SlipwayError } from "../contract/errors.ts";

export type SocketOptions = { socket?: string; config?: string };

/** @throws BAD_REQUEST for a path that no socket can have; BAD_CONFIG when the settings file is needed and wrong. */
export async function findSocket(options: SocketOptions, env: NodeJS.ProcessEnv): Promise<string> {
  // The settings and their YAML reader take a third of the start; a named socket needs neither.
  const { adminSocketPath, socketPathFault } = await import("../config/cross-checks.ts");
  const named = options.socket ?? (env.SLIPWAY_SOCKET || undefined);
  if (named === undefined) {
    const { readConfig } = await import("../config/read-config.ts");
    return adminSocketPath(readConfig({ file: options.config, env }).dataDir);
  }
  const path = resolve(named);
  const fault = socketPathFault(path);
  if (fault !== undefined)
    throw new SlipwayError("BAD_REQUEST", fault, { remedy: "Give a shorter path, perhaps by a link." });
  return path;
}
