// The OS image and the loaders as the fault, under the whole appliance: bytes flipped while it is stopped (same size and time),
// while it runs, a file cut off, a manifest that somebody edited, a signature that is gone. No wrong byte ever leaves.
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSecrets, type Secrets } from "../../../server/secrets/store.ts";
import { writeImage, writeLoaders } from "../../boot-assets/asset-folder.ts";
import { type ApplianceRig, openApplianceRig, START_MS, until } from "./rig.ts";

let rig: ApplianceRig;
let image: ReturnType<typeof writeImage>;
let secrets: Secrets;
const quiet = { info() {}, warn() {} };
beforeEach(async () => {
  rig = await openApplianceRig();
  secrets = await openSecrets({ dataDir: rig.dataDir, identityPath: rig.identity, log: quiet });
  mkdirSync(join(rig.dataDir, "assets"));
  writeLoaders(join(rig.dataDir, "assets"));
  image = writeImage(join(rig.dataDir, "assets"), { bytes: 6_000_000 });
  sign();
});
afterEach(() => rig.close());

const manifestFile = () => join(image.folder, "manifest.json");
const uki = () => join(image.folder, "slipway.uki.efi");
const sign = (text = JSON.stringify(image.manifest)) => {
  writeFileSync(manifestFile(), text);
  writeFileSync(join(image.folder, "manifest.sig"), secrets.signManifest(Buffer.from(text)));
};
/** Changes one byte and nothing that `ls -l` shows. */
function flip(path: string, offset: number): void {
  const before = statSync(path, { bigint: true });
  execFileSync("touch", ["-r", path, `${path}.times`]);
  const fd = openSync(path, "r+");
  writeSync(fd, Buffer.of(0xff ^ image.uki[offset]!), 0, 1, offset);
  closeSync(fd);
  execFileSync("touch", ["-r", `${path}.times`, path]);
  rmSync(`${path}.times`);
  const after = statSync(path, { bigint: true });
  expect([after.size, after.mtimeNs, after.ino]).toEqual([before.size, before.mtimeNs, before.ino]);
}
const get = async (path: string) => {
  const url = `http://192.0.2.1:8080${path}`;
  const { stdout } = await rig.lab.exec(
    rig.serverNs,
    ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", url],
    { mayFail: true },
  );
  return stdout;
};
const kernel = () => get(`/image/${image.manifest.id}/kernel`);
const script = async () =>
  (
    await rig.lab.exec(rig.serverNs, [
      "curl",
      "-s",
      "http://192.0.2.1:8080/boot/script?mac=52:54:00:00:00:01&arch=x86_64&platform=efi",
    ])
  ).stdout;
const WHOLE = () => `200 ${image.manifest.kernel.bytes}`;

/** The alarm, the status line and the answers that each damage must come to. */
async function expectRefused(reason: RegExp): Promise<void> {
  const status = await until(rig.status, ({ alarms }) => alarms.some(({ text }) => reason.test(text)));
  expect(status.assets.some((one) => one.state === "damaged" && reason.test(one.reason ?? ""))).toBe(true);
  expect(await kernel()).toMatch(/^(404|500|503) /);
  expect(await script()).toMatch(/^#!ipxe[\s\S]*echo/);
}

test("an image that is whole is served, also after a warm start that hashes nothing", async () => {
  const running = await rig.start();
  await running.waitFor(/slipway\.uki\.efi is whole/, START_MS);
  expect(await kernel()).toBe(WHOLE());
  expect(await running.stop()).toBe(0);
  const next = await rig.start();
  expect(await kernel()).toBe(WHOLE());
  expect(next.stdout()).not.toContain("is whole");
  expect(await next.stop()).toBe(0);
});

test("a byte flipped while it was stopped, with the size and time of before, is found before a byte leaves", async () => {
  const running = await rig.start();
  await running.waitFor(/is whole/, START_MS);
  await running.stop();
  flip(uki(), 3_000_000);
  const next = await rig.start();
  await expectRefused(/SHA-256 of its (uki|initrd|kernel) is/);
  expect(next.stdout()).toMatch(/It is not served\. Run `npm run assets`/);
  expect(await next.stop()).toBe(0);
});

test("a byte flipped while it runs is an alarm, and nothing of that file is served from then on", async () => {
  const running = await rig.start();
  await running.waitFor(/is whole/, START_MS);
  expect(await kernel()).toBe(WHOLE());
  flip(uki(), 1_000_000);
  expect(await until(kernel, (answer) => answer !== WHOLE())).toMatch(/^(404|500|503) /);
  await expectRefused(/changed in place|SHA-256/);
  expect(await running.stop()).toBe(0);
});

test("a file cut off, a manifest that somebody edited, a signature that is gone: each is told and refused", async () => {
  truncateSync(uki(), 5_000_000);
  const cut = await rig.start();
  await expectRefused(/it has 5000000 bytes, the manifest says 6000000/);
  await cut.stop();

  writeFileSync(uki(), image.uki);
  writeFileSync(manifestFile(), JSON.stringify({ ...image.manifest, cmdline: "init=/bin/sh" }));
  const edited = await rig.start();
  await expectRefused(/manifest\.sig is no signature of this appliance's owner key/);
  await edited.stop();

  sign();
  rmSync(join(image.folder, "manifest.sig"));
  const unsigned = await rig.start();
  await expectRefused(/manifest\.sig is missing/);
  // Put right while it runs, it is served without a restart.
  sign();
  await until(kernel, (answer) => answer === WHOLE());
  expect(await unsigned.stop()).toBe(0);
});

test("a damaged loader is an alarm, and the others are served", async () => {
  writeFileSync(join(rig.dataDir, "assets/ipxe/x86_64/snponly.efi"), "not iPXE");
  const running = await rig.start();
  const status = await until(rig.status, ({ alarms }) => alarms.length > 0);
  expect(status.alarms[0]!.text).toMatch(/snponly\.efi.*it has 8 bytes/);
  expect(await get("/ipxe/bios/undionly.kpxe")).toBe("200 70001");
  expect(await get("/ipxe/x86_64/snponly.efi")).toMatch(/^(404|500) /);
  expect(await running.stop()).toBe(0);
});

test("an image that this user may not read is told, and keeps nobody from starting", async () => {
  await rig.lab.exec(rig.serverNs, ["chown", "-R", "65534:65534", rig.home]);
  await rig.lab.exec(rig.serverNs, ["chown", "0:0", uki()]);
  await rig.lab.exec(rig.serverNs, ["chmod", "600", uki()]);
  const caps = "+net_bind_service,+net_raw,+net_admin";
  const running = await rig.start({
    wrap: [
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      `--inh-caps=${caps}`,
      `--ambient-caps=${caps}`,
    ],
  });
  const status = await rig.status();
  expect(
    status.assets.some(
      ({ state, reason }) => state === "damaged" && /may not be read by the user.*chown/.test(reason ?? ""),
    ),
  ).toBe(true);
  expect(await running.stop()).toBe(0);
});
