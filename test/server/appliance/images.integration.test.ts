// Container images on the real appliance: imported by the CLI as a stream, pulled over HTTP as containerd would, deleted; and the
// kubectl that the build made, run through the launcher.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findKubectl } from "../../../boot-assets/image/kubernetes/find-kubectl.ts";
import type { ImageView } from "../../../server/rest/image-routes.ts";
import { dockerEntries, LAYER, layoutEntries, sha, tar } from "../oci/archive.ts";
import { type ApplianceRig, openApplianceRig } from "./rig.ts";

let rig: ApplianceRig;
beforeEach(async () => {
  rig = await openApplianceRig();
  await rig.start();
});
afterEach(() => rig.close());

const curl = async (path: string, ...more: string[]) =>
  (await rig.lab.exec(rig.serverNs, ["curl", "-sS", ...more, `http://192.0.2.1:8080${path}`], { mayFail: true }))
    .stdout;

test("an archive is imported, listed, pulled by digest and range, and deleted", async () => {
  const file = join(rig.home, "web.tar");
  // More than one chunk of every pipe on the way.
  const big = Buffer.alloc(30_000_000, "layer of a workload ");
  const entries = dockerEntries(["registry.example.org/web:1.2"]).map((e) =>
    e.name === "aaaa/layer.tar" ? { name: e.name, body: big } : e,
  );
  writeFileSync(file, await tar(entries));
  const imported = await rig.cli(["images", "import", file]);
  expect(imported).toMatchObject({ code: 0, stdout: "registry.example.org/web:1.2: imported, linux/amd64, 60 MB\n" });
  const list = JSON.parse((await rig.cli(["images", "list", "-o", "json"])).stdout) as ImageView[];
  expect(list).toMatchObject([{ name: "registry.example.org/web:1.2", platforms: ["linux/amd64"] }]);
  expect(JSON.parse(await curl("/v2/web/manifests/1.2?ns=registry.example.org")).layers).toHaveLength(2);
  expect(await curl(`/v2/web/blobs/${sha(big)}?ns=registry.example.org`, "-r", "0-17")).toBe("layer of a workloa");
  const sum = await rig.lab.exec(rig.serverNs, [
    "sh",
    "-c",
    `curl -sS 'http://192.0.2.1:8080/v2/web/blobs/${sha(big)}?ns=registry.example.org' | sha256sum`,
  ]);
  expect(`sha256:${sum.stdout.split(" ")[0]}`).toBe(sha(big));
  expect(JSON.parse(await curl("/v2/other/manifests/1")).errors[0].code).toBe("MANIFEST_UNKNOWN");
  expect(await rig.cli(["images", "delete", "registry.example.org/web:1.2"])).toMatchObject({ code: 0 });
  expect(JSON.parse(await curl("/v2/_catalog"))).toEqual({ repositories: [] });
  expect((await rig.events()).map((e) => e.kind)).toEqual(expect.arrayContaining(["image-imported", "image-deleted"]));
});

test("what is no archive, has no name, or is not there is refused with its remedy", async () => {
  const file = join(rig.home, "x.tar");
  writeFileSync(file, "hello");
  expect(await rig.cli(["images", "import", file])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("is no tar archive"),
  });
  writeFileSync(file, await tar(layoutEntries("")));
  expect(await rig.cli(["images", "import", file])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/holds an image without a name[\s\S]*--name/),
  });
  expect(await rig.cli(["images", "import", file, "--name", "web:3"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("docker.io/library/web:3"),
  });
  expect(await rig.cli(["images", "import", join(rig.home, "no.tar")])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("there is no such file"),
  });
  expect(await rig.cli(["images", "delete", "nothing"])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("docker.io/library/nothing:latest"),
  });
  expect(LAYER.length).toBe(70_000);
});

test("the built kubectl runs under its own name and speaks to the only cluster", async () => {
  const program = findKubectl(process.env);
  const kubectl = (...args: string[]) =>
    rig.lab.exec(rig.serverNs, [join(import.meta.dirname, "../../../slipway"), "kubectl", ...args], {
      mayFail: true,
      timeoutMs: 45_000,
      env: {
        SLIPWAY_SOCKET: rig.socket,
        XDG_CACHE_HOME: join(rig.home, "cache"),
        SLIPWAY_CACHE: process.env.SLIPWAY_CACHE ?? join(process.env.HOME ?? "/root", ".cache/slipway"),
      },
    });
  if (program === undefined) {
    // Nothing is built on this machine: that is told, with the way to it.
    expect(await kubectl("version", "--client")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("npm run assets"),
    });
    return;
  }
  expect(await kubectl("version", "--client")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("Client Version: v1."),
  });
  expect(await kubectl("get", "nodes")).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("there is no cluster yet"),
  });
  await rig.cli(["cluster", "create", "rack1"]);
  const config = await kubectl("get", "nodes", "--request-timeout=1s");
  expect(config).toMatchObject({ code: 1, stderr: expect.stringContaining("Unable to connect to the server") });
  const dir = join(rig.home, "cache/slipway/kubeconfig");
  const files = readdirSync(dir).map((name) => join(dir, name));
  expect(files).toHaveLength(1);
  expect(readFileSync(files[0]!, "utf8")).toContain("server: https://192.0.2.127:6443");
  expect(statSync(files[0]!).mode & 0o777).toBe(0o600);
  // Kept for the next call.
  await kubectl("get", "pods", "--request-timeout=1s");
  expect((await rig.events()).filter((e) => e.kind === "kubeconfig-issued")).toHaveLength(1);
});
