// A machine for the installer alone: the OS image's own kernel and root with install-driver.ts in the agent's place, a blank
// disk, real firmware; then the same machine booted from that disk by its firmware, as it is. Called by install.e2e.test.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { encodeCpio } from "../../../boot-assets/image/cpio.ts";
import type { Tree } from "../../../boot-assets/image/tree.ts";
import type { Holder } from "../../../node-agent/install/classify-disk.ts";
import { FIRMWARES, type Firmware } from "../../lab/qemu-arguments.ts";
import { openScratchFolder } from "../../lab/scratch-folder.ts";
import { consoleText } from "../../lab/vm.ts";

export type RigJob = {
  action: "install" | "reset" | "look";
  order: string;
  imageUrl: string;
  mayWipe: boolean;
  install: { disk?: string; wipe?: boolean };
  holder: Holder;
  ownerPublicKey: string;
  /** Files of STATE. */
  state: Record<string, string>;
};

/** What the driver said: every value of each word, in order. */
export type Said = { word: string; value: unknown }[];

type Range = { offset: number; bytes: number };
type RigManifest = { cmdline: string; kernel: Range; initrd: Range; uki: { file: string } };
const FILES: Record<string, string> = {
  loader: "loader.efi",
  "grub-core": "grub-core.img",
  "grub-boot": "grub-boot.img",
};

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** The agent's own unit stays as it is, rights and all: only what it starts is another program, which says its lines. */
const UNIT = `[Service]
Type=exec
ExecStart=
ExecStart=/usr/bin/node --lite-mode --max-semi-space-size=1 --v8-pool-size=1 /run/rig/driver.mjs
WatchdogSec=0
Restart=no
`;

const TMPFILES = `d /run/slipway 0700 root root -
d /run/rig 0755 root root -
C /run/rig/driver.mjs 0644 root root - /slipway/rig/driver.mjs
C /run/rig/job.json 0644 root root - /slipway/rig/job.json
L /run/rig/node_modules - - - - /usr/lib/slipway/node_modules
d /run/systemd/system 0755 root root -
C /run/systemd/system/slipway-agent.service 0644 root root - /slipway/rig/slipway-agent.service
d /run/systemd/system/slipway-agent.service.d 0755 root root -
C /run/systemd/system/slipway-agent.service.d/90-rig.conf 0644 root root - /slipway/rig/unit.conf
`;

/** An image as an appliance serves it, signed by a key of the rig's own. */
export class RigImage {
  readonly ownerPublicKey: string;
  readonly manifest: RigManifest;
  readonly #files = new Map<string, Buffer>();
  readonly #server: Server;
  /** Part → what is done to its bytes before they go out. */
  readonly spoil = new Map<string, (bytes: Buffer) => Buffer>();
  /** Bytes after which a connection is cut, counted down at each cut; empty: none is. */
  cuts: number[] = [];
  requests: string[] = [];

  constructor(dir: string) {
    const manifest = readFileSync(join(dir, "manifest.json"));
    this.manifest = JSON.parse(manifest.toString()) as RigManifest;
    const uki = readFileSync(join(dir, this.manifest.uki.file));
    const part = ({ offset, bytes }: Range) => uki.subarray(offset, offset + bytes);
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.ownerPublicKey = publicKey.export({ type: "spki", format: "pem" }) as string;
    this.#files
      .set("manifest.json", manifest)
      .set("manifest.sig", sign(null, manifest, privateKey))
      .set("uki", uki);
    this.#files.set("kernel", part(this.manifest.kernel)).set("initrd", part(this.manifest.initrd));
    for (const [name, file] of Object.entries(FILES)) {
      if (existsSync(join(dir, file))) this.#files.set(name, readFileSync(join(dir, file)));
    }
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  part(name: string): Buffer {
    return this.#files.get(name)!;
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const name = request.url!.split("/").at(-1)!;
    this.requests.push(`${name} ${request.headers.range ?? ""}`.trim());
    const whole = this.#files.get(name);
    if (whole === undefined) return void response.writeHead(404).end();
    const bytes = this.spoil.get(name)?.(whole) ?? whole;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const head = { etag: '"rig"', "content-length": bytes.length - from, "accept-ranges": "bytes" };
    if (from === 0) response.writeHead(200, head);
    else response.writeHead(206, { ...head, "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
    const cut = bytes.length > 1 << 20 ? this.cuts.shift() : undefined;
    if (cut === undefined) return void response.end(bytes.subarray(from));
    response.write(bytes.subarray(from, from + cut), () => response.destroy());
  }
}

export type RigSettings = { firmware: Firmware; image: RigImage; memoryMiB?: number; diskBytes?: number };

/** One machine: disk and firmware variables outlive its power. */
export class RigMachine {
  readonly disk: string;
  readonly vars: string;
  readonly #settings: RigSettings;
  readonly #dir: string;
  readonly #remove: () => void;
  #qemu: ChildProcess | undefined;
  #console = "";

  constructor(settings: RigSettings) {
    const { path, remove } = openScratchFolder();
    this.#settings = settings;
    this.#dir = path;
    this.#remove = remove;
    this.disk = join(path, "disk");
    this.vars = join(path, "vars");
    writeFileSync(this.disk, "");
    truncateSync(this.disk, settings.diskBytes ?? 8 * 2 ** 30);
    const { flash } = FIRMWARES[settings.firmware];
    if (flash) copyFileSync(flash.vars, this.vars);
  }

  /** The installer's machine: kernel and initramfs are given to it, as the network would. */
  async boot(job: RigJob): Promise<void> {
    const { image } = this.#settings;
    const [kernel, initrd] = [join(this.#dir, "kernel"), join(this.#dir, "initrd")];
    writeFileSync(kernel, image.part("kernel"));
    const original = image.part("initrd");
    const padding = Buffer.alloc((4 - (original.length % 4)) % 4);
    writeFileSync(initrd, Buffer.concat([original, padding, await rigArchive(job)]));
    this.#start(["-kernel", kernel, "-initrd", initrd, "-append", image.manifest.cmdline]);
  }

  /** As its firmware finds it. */
  bootDisk(): void {
    this.#start([]);
  }

  #start(extra: readonly string[]): void {
    const row = FIRMWARES[this.#settings.firmware];
    this.#console = join(this.#dir, `console-${Date.now()}`);
    writeFileSync(this.#console, "");
    const pflash = row.flash
      ? [
          ...["-drive", `if=pflash,format=raw,readonly=on,file=${row.flash.code}`],
          ...["-drive", `if=pflash,format=raw,file=${this.vars}`],
        ]
      : [];
    this.#qemu = spawn("nice", [
      ...["-n", "10", row.program, "-accel", "tcg", ...row.machine, "-m", String(this.#settings.memoryMiB ?? 1536)],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", `file:${this.#console}`, ...pflash],
      ...["-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile="],
      ...[
        "-drive",
        `if=none,id=disk0,format=raw,file=${this.disk}`,
        "-device",
        "virtio-blk-pci,drive=disk0,serial=rig",
      ],
      ...["-device", "virtio-rng-pci", ...row.extra, ...extra],
    ]);
  }

  /** Flips a byte of what the disk holds: the first place in its first 1.2 GiB that reads as `piece`. */
  flip(piece: Buffer): void {
    flipOnDisk(this.disk, piece);
  }

  console(): string {
    return consoleText(readFileSync(this.#console));
  }

  /** What the driver has said so far. */
  said(): Said {
    return [...this.console().matchAll(/^RIG (\w+) (.*)$/gm)].flatMap(([, word, json]) => {
      try {
        return [{ word: word!, value: JSON.parse(json!) as unknown }];
      } catch {
        // A line that is still being written.
        return [];
      }
    });
  }

  /** The last value that the driver said under this word. */
  heard<T>(word: string): T | undefined {
    return this.said().findLast((each) => each.word === word)?.value as T | undefined;
  }

  async waitFor(pattern: RegExp, timeoutMs: number): Promise<void> {
    const until = Date.now() + timeoutMs;
    while (!pattern.test(this.console())) {
      if (Date.now() > until || this.#qemu?.exitCode !== null) {
        const last = this.console().split("\n").slice(-30).join("\n");
        throw new Error(`${this.#settings.firmware}: no ${pattern} within ${timeoutMs} ms; the console:\n${last}`);
      }
      await sleep(200);
    }
  }

  /** The plug is pulled: what QEMU had not written is lost to the guest, what it had is on the disk. */
  async powerOff(): Promise<void> {
    const qemu = this.#qemu;
    this.#qemu = undefined;
    if (qemu === undefined || qemu.exitCode !== null) return;
    const ended = new Promise((resolve) => qemu.once("exit", resolve));
    qemu.kill("SIGKILL");
    await ended;
  }

  async close(): Promise<void> {
    await this.powerOff();
    this.#remove();
  }
}

/**
 * Flips a bit of what a disk holds: the first byte of the first place in its first 1.2 GiB that reads as `piece`.
 * @returns where that is.
 */
export function flipOnDisk(disk: string, piece: Buffer): number {
  const file = openSync(disk, "r+");
  const chunk = Buffer.alloc(64 << 20);
  try {
    for (let at = 0; at < 1.2 * 2 ** 30; at += chunk.length - piece.length) {
      readSync(file, chunk, 0, chunk.length, at);
      const found = chunk.indexOf(piece);
      if (found === -1) continue;
      writeSync(file, Buffer.from([piece[0]! ^ 1]), 0, 1, at + found);
      return at + found;
    }
  } finally {
    closeSync(file);
  }
  throw new Error("the disk does not hold these bytes");
}

/** The driver as an initramfs archive of its own, behind the image's. */
async function rigArchive(job: RigJob): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "install-driver.ts")],
    write: false,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    external: ["koffi"],
    logLevel: "error",
  });
  const tree: Tree = new Map();
  const file = (path: string, bytes: Uint8Array) => tree.set(path, { kind: "file", mode: 0o644, bytes, from: "rig" });
  tree
    .set("slipway", { kind: "dir", mode: 0o755, from: "rig" })
    .set("slipway/rig", { kind: "dir", mode: 0o755, from: "rig" });
  file("slipway/rig/driver.mjs", outputFiles[0]!.contents);
  file("slipway/rig/job.json", Buffer.from(JSON.stringify(job)));
  file("slipway/rig/unit.conf", Buffer.from(UNIT));
  file("slipway/rig/slipway-agent.service", readFileSync(join(ROOT, "systemd/image/slipway-agent.service")));
  // The unit that keeps the ticket runs when there is one.
  file("slipway/ticket.json", Buffer.from("{}"));
  file("usr/lib/tmpfiles.d/slipway-ticket.conf", Buffer.from(TMPFILES));
  return encodeCpio(tree);
}
