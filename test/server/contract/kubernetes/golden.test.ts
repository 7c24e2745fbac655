// What a node writes for Kubernetes, as golden files. UPDATE_VECTORS=1 writes them anew; read the difference before you
// commit it. Every file is made by the same functions that the agent calls.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { apiServerFiles } from "../../../../server/contract/kubernetes/api-server.ts";
import { planCertificates } from "../../../../server/contract/kubernetes/certificates.ts";
import { containerdFiles, renderCniConfig } from "../../../../server/contract/kubernetes/containerd.ts";
import { controllerManagerFiles, schedulerFiles } from "../../../../server/contract/kubernetes/control-plane.ts";
import { etcdArguments } from "../../../../server/contract/kubernetes/etcd.ts";
import { kubeletArguments, kubeletFiles } from "../../../../server/contract/kubernetes/kubelet.ts";
import { clusterObjects } from "../../../../server/contract/kubernetes/manifests.ts";
import type { NodeFile } from "../../../../server/contract/kubernetes/node-paths.ts";
import { renderPodList, staticPods } from "../../../../server/contract/kubernetes/static-pod.ts";
import { controlPlane, facts, withoutSecrets, worker } from "./sample.ts";

const golden = (name: string, text: string) =>
  test(name, () => {
    const path = `test/vectors/kubernetes/${name}`;
    const shown = withoutSecrets(text);
    if (process.env.UPDATE_VECTORS === "1") writeFileSync(path, shown);
    expect(existsSync(path) ? readFileSync(path, "utf8") : "(none)").toBe(shown);
  });
const objects = (list: readonly object[]) =>
  list.map((o) => `---\n${stringify(o, { lineWidth: 0, aliasDuplicateObjects: false })}`).join("");
const files = (list: readonly NodeFile[]) =>
  list
    .map((f) => `### ${f.path} ${f.mode.toString(8)} ${f.uid}\n${f.text}${f.text.endsWith("\n") ? "" : "\n"}`)
    .join("");

const CP = controlPlane();
const REGISTRIES = `  registries:
    mirrors:
      "*": {endpoints: ["http://192.0.2.1:8080"]}
      docker.io: {endpoints: ["https://mirror.example.org:5000/v2/hub", "http://192.0.2.1:8080"], overridePath: true, skipFallback: true}
    config:
      mirror.example.org:5000: {tls: {insecureSkipVerify: true}}
`;

describe("control plane", () => {
  golden("static-pods.yaml", objects(staticPods(CP, facts(), "192.0.2.7")));
  golden(
    "control-plane-files.txt",
    files([
      ...apiServerFiles(CP.controlPlane, "<public key>\n"),
      ...controllerManagerFiles(CP.controlPlane, "<kubeconfig>\n"),
      ...schedulerFiles("<kubeconfig>\n"),
    ]),
  );
  golden("certificates.yaml", stringify(planCertificates(CP, facts()), { lineWidth: 0, aliasDuplicateObjects: false }));
  golden(
    "etcd-arguments.txt",
    [
      ["bootstrap", { kind: "bootstrap", token: "install-1" }] as const,
      ["join", { kind: "join", members: [{ name: "cp-0", peerUrls: ["https://192.0.2.6:2380"] }] }] as const,
      ["resume", { kind: "resume" }] as const,
    ]
      .map(([name, start]) => `### ${name}\n${etcdArguments(CP, CP.controlPlane, facts(), start).join("\n")}\n`)
      .join(""),
  );
});

describe("every node", () => {
  golden(
    "kubelet-controlplane.txt",
    `${kubeletArguments(CP, "192.0.2.7").join("\n")}\n${files(kubeletFiles(CP, facts(), "http://127.0.0.1:10240/"))}`,
  );
  golden(
    "kubelet-worker-container.txt",
    `${kubeletArguments(worker(), "192.0.2.8").join("\n")}\n${files(kubeletFiles(worker(), facts({ platform: "container" }), undefined))}`,
  );
  golden("containerd.txt", files(containerdFiles(worker({ machine: REGISTRIES }), facts())));
  golden(
    "containerd-container.txt",
    files(
      containerdFiles(controlPlane({ cluster: "  network: {cni: {name: none}}\n" }), facts({ platform: "container" })),
    ),
  );
  golden("cni.json", renderCniConfig("10.244.3.0/24", 1500));
});

describe("cluster", () => {
  golden("manifests.yaml", objects(clusterObjects(CP, facts())));
  test("the list that the kubelet reads is one JSON object", () => {
    const list = JSON.parse(renderPodList(staticPods(CP, facts(), "192.0.2.7")));
    expect([list.kind, list.items.length]).toEqual(["PodList", 3]);
    expect(JSON.parse(renderPodList(staticPods(worker(), facts(), "192.0.2.8"))).items).toEqual([]);
  });
});
