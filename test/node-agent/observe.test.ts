// observeNode on trees of the kernel's files: a server, a Raspberry Pi, and a machine that tells nothing.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { observeNode, readBootId, THIS_MACHINE } from "../../node-agent/observe.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slipway-root-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(files: Record<string, string | Buffer>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
/** /sys/class and /sys/block are links into the bus tree. */
function link(path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  mkdirSync(join(root, target), { recursive: true });
  symlinkSync(relative(dirname(join(root, path)), join(root, target)), join(root, path));
}
const disk = (name: string, place: string, files: Record<string, string>) => {
  link(`sys/block/${name}`, `${place}/block/${name}`);
  write(Object.fromEntries(Object.entries(files).map(([file, text]) => [`sys/block/${name}/${file}`, text])));
};
const PCI = "sys/devices/pci0000:00";

test("observeNode reads a server with DMI, disks on three buses, and cards", () => {
  write({
    "sys/firmware/efi/fw_platform_size": "64\n",
    "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/product_name": "PowerEdge R650\n",
    "sys/class/dmi/id/product_serial": "ABC1234\n",
    "sys/class/dmi/id/product_uuid": "4C4C4544-0042-4310-8031-B8C04F4D4E33\n",
    "sys/class/dmi/id/bios_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/bios_version": "1.9.2\n",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)  Silver 4310\n\nprocessor\t: 1\nmodel name\t: x\n",
    "proc/meminfo": "MemTotal:       65536000 kB\nMemFree: 1 kB\n",
    "proc/sys/kernel/osrelease": "6.12.57-amd64\n",
    "proc/sys/kernel/random/boot_id": "0b9c7c1e-1111-4222-8333-444455556666\n",
    "proc/self/mountinfo": "22 1 8:2 / / ro - ext4 /dev/sda2 ro\n23 1 0:5 / /dev rw - devtmpfs d rw\n",
    "etc/os-release": 'NAME="Slipway OS"\nPRETTY_NAME="Slipway OS 0.1.0"\n',
    "dev/nvme0n1": Buffer.alloc(4096),
    "dev/sda": Buffer.from("LUKS\xba\xbe", "latin1"),
  });
  disk("nvme0n1", `${PCI}/0000:00:01.0/nvme/nvme0`, {
    ...{
      size: "1000215216\n",
      "device/model": "Samsung SSD 980  \n",
      "device/serial": "S64DNF0\n",
      wwid: "eui.00253\n",
    },
    ...{ "queue/rotational": "0\n", removable: "0\n", ro: "0\n", dev: "259:0\n" },
  });
  disk("sda", `${PCI}/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0`, {
    ...{
      size: "7814037168\n",
      "device/vendor": "ATA     \n",
      "device/model": "ST4000NM\n",
      "device/wwid": "naa.5000c500\n",
    },
    ...{ "queue/rotational": "1\n", dev: "8:0\n", "sda2/dev": "8:2\n" },
  });
  disk("sdb", `${PCI}/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0`, {
    size: "0\n",
    removable: "1\n",
    dev: "8:16\n",
  });
  disk("loop0", "sys/devices/virtual", { size: "1\n" });
  for (const [name, mac] of [
    ["eno1", "B0:7B:25:00:00:01"],
    ["eno2", "b0:7b:25:00:00:02"],
  ] as const) {
    link(`sys/class/net/${name}`, `${PCI}/0000:31:00.0/net/${name}`);
    link(`sys/class/net/${name}/device/driver`, "sys/bus/pci/drivers/tg3");
    write({
      [`sys/class/net/${name}/address`]: `${mac}\n`,
      [`sys/class/net/${name}/speed`]: name === "eno1" ? "1000\n" : "-1\n",
    });
  }
  write({ "sys/class/net/eno1/carrier": "1\n", "sys/devices/virtual/net/lo/address": "00:00:00:00:00:00\n" });
  link("sys/class/net/lo", "sys/devices/virtual/net/lo");

  const from = { root, arch: "x64", addressesOf: (name: string) => (name === "eno1" ? ["192.0.2.7/24"] : []) };
  const facts = observeNode(from);
  expect(facts).toMatchObject({
    ...{ arch: "amd64", firmware: "uefi", vendor: "Dell Inc.", product: "PowerEdge R650", serial: "ABC1234" },
    ...{
      uuid: "4c4c4544-0042-4310-8031-b8c04f4d4e33",
      firmwareVersion: "Dell Inc. 1.9.2",
      osVersion: "Slipway OS 0.1.0",
    },
    ...{ cpuModel: "Intel(R) Xeon(R) Silver 4310", cpuCount: 2, memoryBytes: 67_108_864_000n, kernel: "6.12.57-amd64" },
  });
  expect(facts.disks.map(({ name, bus, content, bootMedium }) => ({ name, bus, content, bootMedium }))).toEqual([
    { name: "nvme0n1", bus: "nvme", content: "empty", bootMedium: false },
    { name: "sda", bus: "sata", content: "foreign", bootMedium: true },
    { name: "sdb", bus: "usb", content: "unknown", bootMedium: false },
  ]);
  expect(facts.disks[0]).toMatchObject({
    sizeBytes: 512_110_190_592n,
    model: "Samsung SSD 980",
    serial: "S64DNF0",
    wwid: "eui.00253",
  });
  expect(facts.disks[1]).toMatchObject({
    model: "ST4000NM",
    wwid: "naa.5000c500",
    rotational: true,
    contentDetail: "LUKS",
  });
  expect(facts.nics).toEqual([
    {
      name: "eno1",
      mac: "b0:7b:25:00:00:01",
      driver: "tg3",
      carrier: true,
      speedMbps: 1000,
      addresses: ["192.0.2.7/24"],
    },
    { name: "eno2", mac: "b0:7b:25:00:00:02", driver: "tg3", carrier: false, speedMbps: 0, addresses: [] },
  ]);
  expect(readBootId({ root })).toBe("0b9c7c1e-1111-4222-8333-444455556666");
});

test("observeNode takes a Raspberry Pi's name from its device tree", () => {
  write({
    "sys/firmware/devicetree/base/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "sys/firmware/devicetree/base/serial-number": "10000000abcdef01\0",
  });
  expect(observeNode({ root, arch: "arm64" })).toMatchObject({
    ...{ arch: "arm64", firmware: "other", product: "Raspberry Pi 5 Model B Rev 1.0", serial: "10000000abcdef01" },
  });
});

test("observeNode takes the end of the cable for a container's card, and leaves pods' cables out", () => {
  write({
    "run/systemd/container": "systemd-nspawn\n",
    ...{ "sys/class/net/eth0/address": "52:54:00:00:80:01\n", "sys/class/net/eth0/carrier": "1\n" },
    ...{ "sys/class/net/veth12/address": "0a:00:00:00:00:01\n", "sys/class/net/cni0/address": "0a:00:00:00:00:02\n" },
  });
  const { nics } = observeNode({ root, arch: "x64", addressesOf: () => [] });
  expect(nics.map(({ name, mac, carrier }) => ({ name, mac, carrier }))).toEqual([
    { name: "eth0", mac: "52:54:00:00:80:01", carrier: true },
  ]);
});

test("observeNode lives with a machine that tells nothing", () =>
  expect(observeNode({ root, arch: "riscv64" })).toEqual({
    ...{ arch: "riscv64", firmware: "bios", vendor: "", product: "", serial: "", uuid: "", firmwareVersion: "" },
    ...{ cpuModel: "", cpuCount: 0, memoryBytes: 0n, kernel: "", osVersion: "", disks: [], nics: [], neighbours: [] },
  }));

test("observeNode looks at a disk's content once", () => {
  write({ "dev/sda": Buffer.from("XFSB") });
  disk("sda", `${PCI}/ata1/host0`, { size: "2048\n" });
  const from = { root, arch: "x64", seenContents: new Map() };
  expect(observeNode(from).disks[0]?.contentDetail).toBe("XFS");
  rmSync(join(root, "dev/sda"));
  expect(observeNode(from).disks[0]?.contentDetail).toBe("XFS");
  expect(observeNode({ root, arch: "x64" }).disks[0]).toMatchObject({
    content: "unknown",
    contentDetail: "cannot be read: ENOENT",
  });
});

test("observeNode sees the machine that runs this test", () => {
  const facts = observeNode(THIS_MACHINE);
  expect(facts.cpuCount).toBeGreaterThan(0);
  expect(facts.memoryBytes).toBeGreaterThan(0n);
  expect(facts.kernel).toMatch(/^\d+\.\d+/);
});
