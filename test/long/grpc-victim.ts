// The appliance's gRPC port as a process of its own, for fuzz-grpc.ts to attack: the real server on a real inventory. Its
// parent hears what a machine needs to come in, asks for its memory, and sees it die.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openLink } from "../../node-agent/report.ts";
import { createCsr } from "../../server/contract/pki/csr.ts";
import { formatPrivateKey, generateKey } from "../../server/contract/pki/key.ts";
import { factsOf } from "../node-agent/machine.ts";
import { MAC, startAppliance } from "../server/grpc/appliance.ts";
import { fakeDesk } from "../server/grpc/fake-agent.ts";

/** The install that the victim is to do. */
export const ORDER = "order-1";

/** What an attacker who is also an enrolled machine knows. PEM. */
export type Victim = {
  port: number;
  token: string;
  csr: string;
  machineId: string;
  certificate: string;
  key: string;
};
export type Memory = { heapBytes: number; rssBytes: number };

/** Runs until the parent goes away. */
export async function serveVictim(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const appliance = await startAppliance(undefined, { desk: fakeDesk() });
  const { token } = await appliance.boot({ lifeMs: 24 * 3600_000 });
  const key = generateKey("ed25519");
  const csr = createCsr(key, { commonName: MAC });
  const link = openLink(appliance.address, { judge: () => undefined });
  const answer = await link.enrol({ token, csr, facts: factsOf(MAC), contact: undefined });
  link.close();
  if (answer.kind !== "answer") throw new Error(`the victim could not enrol itself: ${answer.reason}`);
  const { machineId, certificate } = answer.value;
  const install = { order: ORDER, mayWipe: false, orderedAt: Date.now() };
  const change = { id: machineId, lifecycle: "approved", role: "worker", install } as const;
  await appliance.inventory.changeMachines([], [change], "anna");
  process.on("message", (wish) => {
    if (wish === "stop") return void appliance.close().then(() => process.exit(0));
    collect();
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    process.send!({ heapBytes: heapUsed, rssBytes: rss } satisfies Memory);
  });
  process.once("disconnect", () => process.exit(1));
  const victim: Victim = {
    port: appliance.server.port,
    token,
    csr,
    machineId,
    certificate,
    key: formatPrivateKey(key),
  };
  process.send!(victim);
}
