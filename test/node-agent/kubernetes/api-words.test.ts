// What a node says when the API at its endpoint is another cluster's: the cause and the remedy, not the library's words alone.
import { randomBytes } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { apiWords } from "../../../node-agent/kubernetes/api-words.ts";
import { openApi } from "../../../node-agent/kubernetes/open-api.ts";
import { parseCertificatePem } from "../../../server/contract/pki/certificate.ts";
import { issueClusterCa } from "../../../server/contract/pki/cluster-certificate.ts";
import { generateKey } from "../../../server/contract/pki/key.ts";
import { config, issued } from "./api-rig.ts";

/** Of the same name as the sample cluster's, as every cluster's is, with a key of its own. */
function otherCa(): string {
  const { subject, notBefore, notAfter } = parseCertificatePem(config.cluster.caCrt);
  return issueClusterCa(generateKey("p256"), subject, { serial: randomBytes(16), notBefore, notAfter }).pem;
}

test("a token that the API does not know names the config, and that a new cluster may need a minute", () => {
  const words = apiWords({ kind: "refused", status: 401, reason: "Unauthorized" }, "token");
  expect(words).toMatch(/^the cluster does not know this node's token; .*within a minute/);
  expect(words).toMatch(/slipway install MAC$/);
  expect(words.length).toBeLessThan(200);
});

test("an API of another cluster, whose CA has the same name, is told from one that is away", async () => {
  const { crt: cert, key } = issued.get("apiserver")!;
  const server = createServer({ cert, key }, (_, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = async (ca: string) => {
    const api = openApi({ server: target, ca, credential: { token: "aaaaaa.bbbbbbbbbbbbbbbb" } });
    const answer = await api.get("/readyz");
    api.close();
    return answer;
  };
  expect((await ask(config.cluster.caCrt)).kind).toBe("ok");
  const answer = await ask(otherCa());
  server.close();
  expect(answer.kind).toBe("failed");
  if (answer.kind === "failed")
    expect(apiWords(answer, "token")).toMatch(
      /^another cluster answers at the endpoint \([^);]+\)\..*slipway install MAC$/,
    );
});

test.each([
  [{ kind: "failed", reason: "connect ECONNREFUSED 192.0.2.127:6443" } as const],
  [{ kind: "failed", reason: "certificate has expired" } as const],
  [{ kind: "refused", status: 503, reason: "HTTP 503: not ready" } as const],
])("%j is only an API that does not answer yet", (answer) => {
  expect(apiWords(answer, "certificate")).toBe(`the cluster's API does not answer yet: ${answer.reason}`);
});
