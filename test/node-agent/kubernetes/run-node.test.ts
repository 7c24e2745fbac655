// A node's loop as far as it goes without a node's rights: its clock is not set, so it settles nothing, and only looks.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { KubernetesDeps } from "../../../node-agent/kubernetes/port.ts";
import { openKubernetesNode } from "../../../node-agent/kubernetes/run-node.ts";
import { worker } from "../../server/contract/kubernetes/sample.ts";
import { openApiServer } from "./api-rig.ts";

test("stop ends a look at an API that hangs at once, and tells nobody of what it cut off", async () => {
  const server = await openApiServer();
  const asked = server.serve("/readyz", { list: () => {}, watch: () => {} });
  const stateDir = mkdtempSync(join(tmpdir(), "slipway-node-"));
  const config = worker();
  const said: string[] = [];
  const deps: KubernetesDeps = {
    config: { ...config, cluster: { ...config.cluster, balancerPort: server.port } },
    configNotes: [],
    platform: "metal",
    installId: "install",
    ephemeralDevice: undefined,
    stateDir,
    surroundings: () => ({
      ...{ addresses: [], resolvers: [], mtuBytes: 1500, isClockSet: false, holdsEndpoint: false },
      memoryAvailableBytes: 2 ** 30,
    }),
    log: { info: (text) => said.push(text), warn: (text) => said.push(text) },
    run: async () => ({ code: 127, stdout: "", stderr: "no program is started here" }),
  };
  const node = await openKubernetesNode(deps);
  node.watch(({ reason }) => said.push(reason));
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const before = node.status();
  const stoppedMs = performance.now();
  await node.stop();
  expect(performance.now() - stoppedMs).toBeLessThan(500);
  expect(node.status()).toBe(before);
  expect(said).toEqual([]);
  expect(await node.probeApiServer()).toBe(false);
  expect(asked).toHaveLength(1);
  rmSync(stateDir, { recursive: true });
  await server.close();
});
