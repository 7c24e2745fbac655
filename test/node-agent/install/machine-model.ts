// A machine in memory for the install tests: a disk that loses what was not synced, two FAT slots and STATE that behave as
// Linux's vfat was seen to, a firmware with boot variables. `cut` is the power cut. It runs DiskOps and nothing else.
import { createHash } from "node:crypto";
import { classifyDisk, type Holder } from "../../../node-agent/install/classify-disk.ts";
import { HEAD_BYTES, TAIL_BYTES } from "../../../node-agent/install/disk-areas.ts";
import { type DiskOp, dirOf } from "../../../node-agent/install/disk-ops.ts";
import {
  BOOT_ORDER,
  bootVariable,
  decodeBootOrder,
  decodeLoadOption,
} from "../../../node-agent/install/efi-load-option.ts";
import { decodeGpt } from "../../../node-agent/install/gpt-decode.ts";
import { decodeGrubEnv, readChoice } from "../../../node-agent/install/grub-env.ts";
import type { FileContent, InstallFacts, Sized, Volume } from "../../../node-agent/install/install-step.ts";
import { type Firmware, planLayout, SLOTS, type Slot } from "../../../node-agent/install/layout.ts";
import { chooseEntry, type LoaderVolume } from "../../../node-agent/install/loader-choice.ts";
import { decodeMeta } from "../../../node-agent/install/meta.ts";
import { GRUB_CFG, GRUB_ENTRY, GRUB_ENV, LOADER_ARCH, payloadPath } from "../../../node-agent/install/slot-files.ts";
import { GUIDS } from "./disk.ts";

/** What a name of a directory leads to. `part`: data is missing, the size says otherwise. */
type Stored = { state: "whole" | "zero" | "part"; sha256: string; bytes: number; text: string };
type Pending = { kind: "add"; path: string; file: Stored; isDataSynced: boolean } | { kind: "remove"; path: string };
/** A file system: what is on the disk for sure, and what the kernel still holds. */
type FileSystem = { durable: Map<string, Stored>; now: Map<string, Stored>; synced: Set<string>; pending: Pending[] };

type RawWrite = { offset: number; bytes: Uint8Array };

/** What the machine would start from this disk. `half` must never happen. */
export type Boot = { kind: "image"; sha256: string } | { kind: "nothing" } | { kind: "half"; what: string };

export const sizedOf = (text: string): Sized => ({
  bytes: Buffer.byteLength(text),
  sha256: createHash("sha256").update(text).digest("hex"),
});

export class MachineModel {
  readonly firmware: Firmware;
  readonly sizeBytes: number;
  readonly head = Buffer.alloc(HEAD_BYTES);
  readonly tail = Buffer.alloc(TAIL_BYTES);
  readonly metaArea = Buffer.alloc(512 * 1024);
  variables = new Map<string, Uint8Array>();
  boot = { core: "", boot: "" };
  #assets: Record<string, Sized>;
  #raw: RawWrite[] = [];
  #bootPending: ("core" | "boot")[] = [];
  #systems = new Map<Volume, FileSystem>();
  /** Erases and mkfs that are not synced yet. */
  #wiped: { volume: Volume; made: boolean }[] = [];
  readonly #places: Map<string, { offset: number; bytes: number }>;

  constructor(firmware: Firmware, sizeBytes: number, assets: Record<string, Sized>) {
    this.firmware = firmware;
    this.sizeBytes = sizeBytes;
    this.#assets = assets;
    const laid = planLayout({ sizeBytes, sectorBytes: 512 }, firmware, GUIDS);
    if (laid.kind !== "layout") throw new Error(laid.reason);
    this.#places = new Map(laid.layout.partitions.map((p) => [p.label, p]));
  }

  /** Another image or loader is served from now on. */
  serve(assets: Record<string, Sized>): void {
    this.#assets = assets;
  }

  run(op: DiskOp): void {
    const run = this.#runners[op.op] as (op: DiskOp) => void;
    run(op);
  }

  readonly #runners: { [K in DiskOp["op"]]: (op: Extract<DiskOp, { op: K }>) => void } = {
    "disk-write": ({ offset, bytes }) => this.#raw.push({ offset, bytes }),
    "disk-zero": ({ range }) => this.#zero(range.offset, range.bytes),
    "disk-sync": () => this.#sync(),
    "reread-table": () => {},
    "make-file-system": ({ partition }) => {
      if (partition !== "EPHEMERAL") this.#wiped.push({ volume: partition as Volume, made: true });
      this.#systems.delete(partition as Volume);
    },
    "make-dir": () => {},
    write: ({ on, path, content }) => {
      const file = this.#stored(content);
      const fs = this.#fs(on);
      fs.now.set(path, file);
      fs.synced.delete(path);
      fs.pending.push({ kind: "add", path, file, isDataSynced: false });
    },
    "sync-file": ({ on, path }) => {
      const fs = this.#fs(on);
      const file = fs.now.get(path);
      if (file === undefined) throw new Error(`sync of ${path}, which is not there`);
      fs.synced.add(file.sha256 + path);
      fs.pending = fs.pending.filter((p) => p.path !== path);
      fs.durable.set(path, file);
    },
    verify: ({ on, path, sha256 }) => {
      if (this.#fs(on).durable.get(path)?.sha256 !== sha256)
        throw new Error(`verify of ${path} before it is on the disk`);
    },
    rename: ({ on, from, to }) => {
      const fs = this.#fs(on);
      const file = fs.now.get(from)!;
      const isDataSynced = fs.synced.has(file.sha256 + from);
      fs.now.delete(from);
      fs.now.set(to, file);
      fs.pending.push({ kind: "remove", path: from }, { kind: "add", path: to, file, isDataSynced });
    },
    "sync-dir": ({ on, path }) => {
      const fs = this.#fs(on);
      const here = fs.pending.filter((p) => dirOf(p.path) === path);
      fs.pending = fs.pending.filter((p) => dirOf(p.path) !== path);
      // The directory alone: a new name whose file was not synced has 0 bytes.
      for (const p of here) land(fs.durable, p, () => "zero");
    },
    remove: ({ on, path }) => {
      const fs = this.#fs(on);
      fs.now.delete(path);
      fs.pending.push({ kind: "remove", path });
    },
    "write-boot-code": ({ part }) => this.#bootPending.push(part),
    "set-variable": ({ variable, bytes }) => this.variables.set(variable, bytes),
    "remove-variable": ({ variable }) => this.variables.delete(variable),
  };

  /** The power goes. `chance` decides for each sector and name whether it had got to the disk. */
  cut(chance: () => number): void {
    for (const { offset, bytes } of this.#raw) {
      for (let at = 0; at < bytes.length; at += 512) {
        if (chance() < 0.5) this.#place({ offset: offset + at, bytes: bytes.subarray(at, at + 512) });
      }
    }
    this.#raw = [];
    for (const { volume, made } of this.#wiped) {
      if (chance() < 0.5) this.#settle(volume, made);
    }
    this.#wiped = [];
    for (const part of this.#bootPending) if (chance() < 0.7) this.#load(part, part === "core" && chance() < 0.5);
    this.#bootPending = [];
    for (const [volume, fs] of this.#systems) {
      for (const p of fs.pending) {
        if (chance() < 0.5) land(fs.durable, p, (isDataSynced) => unsynced(isDataSynced, chance()));
      }
      this.#systems.set(volume, { durable: fs.durable, now: new Map(fs.durable), synced: new Set(), pending: [] });
    }
  }

  /** What a freshly started agent sees. */
  facts(holder: Holder): InstallFacts {
    const disk = { sizeBytes: this.sizeBytes, sectorBytes: 512 as const, head: this.head, tail: this.tail };
    const files = Object.fromEntries(
      [...this.#systems].map(([volume, fs]) => [
        volume,
        new Map([...fs.durable].map(([path, file]) => [path, seen(file)])),
      ]),
    );
    return {
      firmware: this.firmware,
      disk: {
        path: "/dev/vda",
        sizeBytes: this.sizeBytes,
        sectorBytes: 512,
        isReadOnly: false,
        class: classifyDisk(disk, holder),
      },
      files,
      meta: decodeMeta(this.metaArea),
      bootCode: this.boot,
      variables: this.firmware === "bios" ? undefined : this.variables,
    };
  }

  /** Files of a volume that are whole; undefined when it cannot be mounted. */
  files(volume: Volume): ReadonlyMap<string, Stored> | undefined {
    return this.#systems.get(volume)?.durable;
  }

  /** What the firmware would start from the disk as it is. */
  boots(): Boot {
    return this.firmware === "bios" ? this.#bootsBios() : this.#bootsUefi(this.firmware);
  }

  #bootsUefi(firmware: keyof typeof LOADER_ARCH): Boot {
    const table = decodeGpt({ sizeBytes: this.sizeBytes, sectorBytes: 512, head: this.head, tail: this.tail });
    if (table.kind !== "gpt") return { kind: "nothing" };
    const slotOf = (guid: string) =>
      SLOTS.find((s) => table.gpt.partitions.some((p) => p.label === s && p.guid === guid));
    const programs: { slot: Slot; path: string }[] = [];
    for (const number of decodeBootOrder(this.variables.get(BOOT_ORDER))) {
      const reading = decodeLoadOption(this.variables.get(bootVariable(number)) ?? new Uint8Array(0));
      if (reading.kind !== "option") continue;
      const [drive, file] = reading.option.path;
      const slot = drive?.kind === "hard-drive" ? slotOf(drive.guid) : undefined;
      if (slot !== undefined && file?.kind === "file") programs.push({ slot, path: file.path });
    }
    programs.push({ slot: "EFI", path: LOADER_ARCH[firmware].removable });
    for (const { slot, path } of programs) {
      const loader = this.files(slot)?.get(path);
      if (loader === undefined || loader.state === "zero") continue;
      if (loader.state === "part") return { kind: "half", what: `${slot}:${path}` };
      const choice = chooseEntry(slot, { EFI: this.#loaderVolume("EFI"), BOOT: this.#loaderVolume("BOOT") });
      if (choice.kind === "nothing") continue;
      return imageOf(this.files(choice.slot)!.get(choice.path)!, choice.path);
    }
    return { kind: "nothing" };
  }

  #loaderVolume(slot: Slot): LoaderVolume {
    const files = [...(this.files(slot) ?? [])];
    const entries = files.filter(([path]) => path.startsWith("/loader/entries/"));
    return {
      entries: new Map(
        entries.map(([path, file]) => [path.slice("/loader/entries/".length), file.state === "zero" ? "" : file.text]),
      ),
      sizes: new Map(files.map(([path, file]) => [path, file.state === "zero" ? 0 : file.bytes])),
    };
  }

  /** GRUB checks both files itself, so a file that is not whole is found, not started. */
  #bootsBios(): Boot {
    if (this.head[510] !== 0x55 || this.boot.boot === "" || this.head[0] === 0xcd) return { kind: "nothing" };
    if (this.boot.boot === "part" || this.boot.core !== this.#assets.core!.sha256)
      return { kind: "half", what: "GRUB's core" };
    const config = SLOTS.map((slot) => this.files(slot)?.get(GRUB_CFG)).find(
      (file) => file !== undefined && file.state !== "zero",
    );
    if (config === undefined) return { kind: "nothing" };
    if (config.state === "part") return { kind: "half", what: GRUB_CFG };
    const env = decodeGrubEnv(Buffer.from(this.files("EFI")?.get(GRUB_ENV)?.text ?? ""));
    const good = env.kind === "env" ? readChoice(env.env).good : undefined;
    for (const slot of good === undefined ? SLOTS : [good, ...SLOTS]) {
      const entry = this.files(slot)?.get(GRUB_ENTRY);
      if (entry === undefined || entry.state === "zero") continue;
      if (entry.state === "part") return { kind: "half", what: GRUB_ENTRY };
      const install = Number(/slot_install=(\d+)/.exec(entry.text)![1]);
      const [linux, initrd, sums] = (["linux", "initrd", "sums"] as const).map((p) =>
        this.files(slot)!.get(payloadPath(install, p)),
      );
      const isRight = [linux, initrd].every((file) => file?.state === "whole" && sums?.text.includes(file.sha256));
      if (isRight && sums?.state === "whole") return { kind: "image", sha256: linux!.sha256 };
    }
    return { kind: "nothing" };
  }

  #stored(content: FileContent): Stored {
    if (content.kind === "text") return { state: "whole", text: content.text, ...sizedOf(content.text) };
    return { state: "whole", text: "", ...this.#assets[content.kind === "asset" ? content.asset : content.name]! };
  }

  #fs(volume: Volume): FileSystem {
    const fs = this.#systems.get(volume);
    if (fs === undefined) throw new Error(`${volume} has no file system`);
    return fs;
  }

  #zero(offset: number, length: number): void {
    // Only the areas that are modelled are kept; zeros elsewhere are the partitions' own business, below.
    const tailAt = this.sizeBytes - TAIL_BYTES;
    const end = offset + length;
    if (offset < HEAD_BYTES) this.#raw.push({ offset, bytes: Buffer.alloc(Math.min(end, HEAD_BYTES) - offset) });
    else if (end > tailAt)
      this.#raw.push({ offset: Math.max(offset, tailAt), bytes: Buffer.alloc(end - Math.max(offset, tailAt)) });
    const meta = this.#places.get("META")!;
    if (offset <= meta.offset && end > meta.offset)
      this.#raw.push({ offset: meta.offset, bytes: Buffer.alloc(this.metaArea.length) });
    for (const volume of [...SLOTS, "STATE"] as const) {
      const place = this.#places.get(volume)!;
      if (offset <= place.offset && end > place.offset) this.#wiped.push({ volume, made: false });
    }
    const core = this.#places.get("BIOS");
    if (core !== undefined && offset <= core.offset && end > core.offset) this.boot.core = "part";
    if (offset === 0) this.boot.boot = "";
  }

  #sync(): void {
    for (const write of this.#raw) this.#place(write);
    this.#raw = [];
    for (const { volume, made } of this.#wiped) this.#settle(volume, made);
    this.#wiped = [];
    for (const part of this.#bootPending) this.#load(part, false);
    this.#bootPending = [];
  }

  /** The boot code is one sector, so it is there or not. */
  #load(part: "core" | "boot", isPart: boolean): void {
    this.boot[part] = isPart ? "part" : this.#assets[part]!.sha256;
    if (part === "boot") this.head[0] = 0xeb;
  }

  #settle(volume: Volume, made: boolean): void {
    if (made) this.#systems.set(volume, { durable: new Map(), now: new Map(), synced: new Set(), pending: [] });
    else this.#systems.delete(volume);
  }

  #place({ offset, bytes }: RawWrite): void {
    const meta = this.#places.get("META")!;
    for (const [area, areaAt] of [
      [this.head, 0],
      [this.tail, this.sizeBytes - TAIL_BYTES],
      [this.metaArea, meta.offset],
    ] as const) {
      const from = Math.max(offset, areaAt);
      const to = Math.min(offset + bytes.length, areaAt + area.length);
      if (from < to) area.set(bytes.subarray(from - offset, to - offset), from - areaAt);
    }
  }
}

function land(
  durable: Map<string, Stored>,
  pending: Pending,
  unsized: (isDataSynced: boolean) => Stored["state"],
): void {
  if (pending.kind === "remove") durable.delete(pending.path);
  else durable.set(pending.path, { ...pending.file, state: unsized(pending.isDataSynced) });
}

/** A name that got to the disk without its file's fsync: 0 bytes, or whole; with its data not synced also anything. */
function unsynced(isDataSynced: boolean, chance: number): Stored["state"] {
  if (chance < 0.4) return "zero";
  return isDataSynced || chance < 0.6 ? "whole" : "part";
}

const seen = ({ state, bytes, sha256 }: Stored): Sized =>
  state === "whole" ? { bytes, sha256 } : state === "zero" ? sizedOf("") : { bytes, sha256: "part" };

const imageOf = (file: Stored, path: string): Boot =>
  file.state === "whole" ? { kind: "image", sha256: file.sha256 } : { kind: "half", what: path };
