// The agent and its units as the work tree has them, for container nodes that shall run these instead of the image's: a
// change is tried in two seconds, not after an image build. Only for work on the agent; tests run the image as it is.
import { globSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleAgentFile } from "../../node-agent/run-bundle.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Bundles the agent into `dir`.
 * @returns what a container node binds ({@link ContainerSettings.binds}). Units go below /run: they win over the image's.
 */
export async function bindAgentFromSources(dir: string): Promise<Record<string, string>> {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "agent.mjs");
  writeFileSync(file, await bundleAgentFile());
  const units = globSync(join(ROOT, "systemd/image/*.service")).map((unit): [string, string] => [
    `/run/systemd/system/${basename(unit)}`,
    unit,
  ]);
  return { "/usr/lib/slipway/agent.mjs": file, ...Object.fromEntries(units) };
}
