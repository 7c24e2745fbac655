// Every tftp-* row of test/vectors/pxe-vectors.jsonl, byte for byte, against the real server on loopback. One check per
// row; a row without a check fails, so that a new vector cannot go unread.
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import type { TftpPacket } from "../../../server/tftp/packet.ts";
import { pattern } from "../../boot-assets/asset-folder.ts";
import { type RawClient, rawClient, readRequest, testServer } from "./raw-client.ts";

type Vector = { name: string; kind: string; hex?: string; expected_behaviour: string };
const VECTORS = readFileSync(new URL("../../vectors/pxe-vectors.jsonl", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Vector)
  .filter((vector) => vector.kind.startsWith("tftp-"));

const SIZE = 5000;
const FILE = pattern(SIZE);
type Scene = { server: Awaited<ReturnType<typeof testServer>>; client: RawClient; send: (to?: number) => void };
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const ack = (block: number): TftpPacket => ({ kind: "ack", block });

/** The OACK holds exactly these options, comes from a new port, and the file follows after ACK 0. */
async function expectOack({ server, client, send }: Scene, options: [string, string][], blockBytes: number) {
  send();
  const { packet, port } = await client.next();
  expect(packet).toEqual({ kind: "oack", options });
  expect(port).not.toBe(server.port);
  client.send(ack(0), port);
  const first = (await client.next()).packet;
  expect(first).toMatchObject({ kind: "data", block: 1, data: { length: blockBytes } });
  return port;
}

/** After the vector's ERROR 8 or 0 the probe is over without a word to anybody. */
async function expectQuietEnd({ server, client }: Scene, last: Uint8Array, port: number) {
  client.send(last, port);
  client.send(readRequest("no-such-file"), server.port);
  expect((await client.next()).packet).toMatchObject({ kind: "error", code: 1 });
  while (server.server.status().running > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(server.server.status().failed).toBe(0);
  expect(server.events.map((event) => event.kind)).toEqual(["tftp-missing"]);
}

const ERROR_8 = Buffer.from("0005000855736572206162", "hex");
const bytesOf = (name: string) => Buffer.from(VECTORS.find((vector) => vector.name === name)!.hex!, "hex");
const size = String(SIZE);

/** What each row asks for. Files named in `has` exist; all others are missing. */
const CHECKS: Record<string, { has?: string[]; check: (scene: Scene) => Promise<void> }> = {
  "tftp-edk2-tsize-probe": {
    has: ["ipxe.efi"],
    check: async (scene) => {
      scene.send();
      const { packet, port } = await scene.client.next();
      expect(packet).toEqual({
        kind: "oack",
        options: [
          ["tsize", size],
          ["blksize", "1468"],
          ["windowsize", "4"],
        ],
      });
      expect(port).not.toBe(scene.server.port);
      await expectQuietEnd(scene, bytesOf("tftp-edk2-error8"), port);
    },
  },
  "tftp-edk2-error8": {
    has: ["ipxe.efi"],
    check: async (scene) => {
      scene.client.send(bytesOf("tftp-edk2-tsize-probe"), scene.server.port);
      await expectQuietEnd(scene, bytesOf("tftp-edk2-error8"), (await scene.client.next()).port);
    },
  },
  "tftp-edk2-probe-old": {
    has: ["shimx64.efi"],
    check: async (scene) => {
      scene.send();
      const { packet, port } = await scene.client.next();
      expect(packet).toEqual({
        kind: "oack",
        options: [
          ["tsize", size],
          ["blksize", "1468"],
        ],
      });
      await expectQuietEnd(scene, ERROR_8, port);
    },
  },
  "tftp-ipxe": {
    has: ["boot.ipxe"],
    check: async (scene) =>
      void (await expectOack(
        scene,
        [
          ["blksize", "1432"],
          ["tsize", size],
        ],
        1432,
      )),
  },
  "tftp-grub": {
    has: ["grub/grub.cfg"],
    check: async (scene) => {
      const port = await expectOack(
        scene,
        [
          ["blksize", "1024"],
          ["tsize", size],
        ],
        1024,
      );
      for (const block of [0, 1, 1, 0]) scene.client.send(ack(block), port);
      expect((await scene.client.next()).packet).toMatchObject({ kind: "data", block: 2 });
      scene.client.send({ kind: "error", code: 0, message: "" }, port);
      expect(await scene.server.event("tftp-stopped")).toMatchObject({ detail: { file: "grub/grub.cfg" } });
      expect(scene.client.heard).toEqual([]);
    },
  },
  "tftp-uboot": {
    check: async (scene) => {
      scene.send();
      expect((await scene.client.next()).packet).toMatchObject({ kind: "error", code: 1 });
      const having = await testServer({ "boot.scr.uimg": FILE });
      closers.push(() => having.server.close());
      const options: [string, string][] = [
        ["timeout", "5"],
        ["tsize", size],
        ["blksize", "1468"],
        ["windowsize", "1"],
      ];
      const send = () => scene.client.send(bytesOf("tftp-uboot"), having.port);
      await expectOack({ ...scene, server: having, send }, options, 1468);
    },
  },
  "tftp-rpi3-rom-bootsig": {
    check: async (scene) => {
      scene.send();
      expect((await scene.client.next()).packet).toMatchObject({ kind: "error", code: 1 });
      expect(await scene.server.event("tftp-missing")).toMatchObject({ detail: { file: "bootsig.bin" } });
    },
  },
  "tftp-rpi3-bootcode": {
    has: ["fixup.dat"],
    check: async (scene) => void (await expectOack(scene, [["tsize", size]], 512)),
  },
  "tftp-rpi4-1468": {
    has: ["ab5a4158/start4.elf"],
    check: async (scene) => {
      scene.send();
      const first = await scene.client.next();
      expect(first.packet).toEqual({
        kind: "oack",
        options: [
          ["tsize", size],
          ["blksize", "1468"],
        ],
      });
      scene.send();
      expect(await scene.client.next()).toMatchObject({ port: first.port, packet: first.packet });
      expect(scene.server.server.status().running).toBe(1);
    },
  },
  "tftp-rpi-early-terminate": {
    has: ["ab5a4158/start4.elf"],
    check: async (scene) => {
      scene.send(scene.server.port);
      scene.client.send(bytesOf("tftp-rpi4-1468"), scene.server.port);
      const { packet, port } = await scene.client.next();
      expect(packet.kind).toBe("oack");
      await expectQuietEnd(scene, bytesOf("tftp-rpi-early-terminate"), port);
    },
  },
  "tftp-wrq": {
    check: async (scene) => {
      scene.send();
      expect((await scene.client.next()).packet).toMatchObject({ kind: "error", code: 2 });
      scene.client.send(readRequest("rfc1350.txt"), scene.server.port);
      expect((await scene.client.next()).packet).toMatchObject({ kind: "error", code: 1 });
      expect(scene.client.heard).toEqual([]);
    },
  },
  "tftp-edk2-unc-backslash": {
    has: ["NWA_PXE/rhel-8.3-x86_64-dvd/EFI/BOOT/BOOTX64.EFI"],
    check: async (scene) => void (await expectOack(scene, [["blksize", "1468"]], 1468)),
  },
};

for (const vector of VECTORS) {
  test(`${vector.name}: ${vector.expected_behaviour}`, async () => {
    const row = CHECKS[vector.name];
    expect(row, "this vector has no check").toBeDefined();
    const server = await testServer(Object.fromEntries((row!.has ?? []).map((name) => [name, FILE])));
    const client = await rawClient();
    closers.push(() => server.server.close(), client.close);
    const send = (to = server.port) => client.send(Buffer.from(vector.hex!, "hex"), to);
    await row!.check({ server, client, send });
  });
}

test("every check has its vector", () => {
  expect(Object.keys(CHECKS).sort()).toEqual(VECTORS.map((vector) => vector.name).sort());
});
