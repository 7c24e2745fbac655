// A BIOS machine whose disk is a loop device over a sparse file, for run-install and run-reset. The host's kernel knows neither
// GPT nor FAT: partitions are loop devices of their own over the same file, and a slot is a directory that stays when it is
// unmounted. Everything else is real: block device, XFS, mkfs, page cache.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Candidate } from "../../../node-agent/install/choose-disk.ts";
import { classifyDisk, type Holder } from "../../../node-agent/install/classify-disk.ts";
import { rowsFor } from "../../../node-agent/install/layout.ts";
import { readDiskBytes } from "../../../node-agent/install/open-disk.ts";
import { BLKRRPART, type DiskCalls, MOUNT } from "../../../node-agent/install/open-disk-calls.ts";
import { DISK } from "../machine.ts";
import { GIB, MIB } from "./disk.ts";

const run = (...args: string[]) => execFileSync(args[0]!, args.slice(1), { encoding: "utf8", stdio: "pipe" }).trim();

export class LoopMachine {
  readonly dir: string;
  readonly file: string;
  /** `loop3` */
  readonly name: string;
  readonly machine = { root: "/", arch: "x64" };
  readonly calls: DiskCalls;
  readonly #loops: string[] = [];
  readonly #partitions = new Map<number, string>();
  #mounted = new Set<string>();

  /** @param calls the real ones. @param file lies elsewhere when its file system is the point. */
  constructor(calls: DiskCalls, sizeBytes = 8 * GIB, file?: string, options: readonly string[] = []) {
    this.dir = mkdtempSync(join(tmpdir(), "slipway-loop-"));
    this.file = file ?? join(this.dir, "disk");
    writeFileSync(this.file, "");
    truncateSync(this.file, sizeBytes);
    this.name = basename(this.#attach(...options, this.file));
    this.calls = {
      ...calls,
      ioctl: (fd, request, argument) => (request === BLKRRPART ? 0 : calls.ioctl(fd, request, argument)),
      mount: (source, target, type, flags, mountOptions) => {
        const result =
          type === "vfat"
            ? calls.mount(this.slotDir(source), target, "", MOUNT.bind, "")
            : calls.mount(source, target, type, flags, mountOptions);
        if (result === 0) this.#mounted.add(target);
        return result;
      },
      umount: (target, flags) => {
        const result = calls.umount(target, flags);
        if (result === 0) this.#mounted.delete(target);
        return result;
      },
    };
  }

  #attach(...args: string[]): string {
    const device = run("losetup", "--find", "--show", ...args);
    this.#loops.push(device);
    return device;
  }

  /** What run-install is given in place of the machine's own. */
  place(holder: Holder) {
    return {
      mountDir: join(this.dir, "mnt"),
      findPartition: (_: unknown, __: string, number: number) => this.partition(number),
      candidates: async (): Promise<Candidate[]> => {
        const bytes = await readDiskBytes(this.machine, this.name, this.calls);
        const disk = { ...DISK, name: this.name, bus: "sata", sizeBytes: BigInt(bytes.sizeBytes) };
        return [{ disk, class: classifyDisk(bytes, holder) }];
      },
    };
  }

  /** The device of a partition of the BIOS layout. */
  partition(number: number): string {
    const there = this.#partitions.get(number);
    if (there !== undefined) return there;
    const rows = rowsFor("bios");
    const offset = rows.slice(0, number - 1).reduce((sum, row) => sum + row.mib, 1) * MIB;
    const bytes = rows[number - 1]!.mib * MIB;
    const device = this.#attach("--offset", String(offset), "--sizelimit", String(bytes), this.file);
    this.#partitions.set(number, device);
    return device;
  }

  /** What stands for the file system of a slot. */
  slotDir(device: string): string {
    const dir = join(this.dir, `slot-${basename(device)}`);
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  read(slot: number, path: string): Buffer {
    return readFileSync(join(this.slotDir(this.partition(slot)), path));
  }

  /**
   * Mounts STATE as the install does: with other flags the kernel refuses while any mount namespace still has the volume, and
   * every container that starts on this host at this moment takes a copy.
   */
  mount(device: string, at: string): void {
    const flags = MOUNT.noSuid | MOUNT.noDev | MOUNT.noExec;
    const result = this.calls.mount(device, at, "xfs", flags, "");
    if (result !== 0) throw new Error(`mount ${device}: errno ${this.calls.errno()}`);
  }

  isMounted(): boolean {
    return this.#mounted.size > 0;
  }

  close(): void {
    for (const target of this.#mounted) this.calls.umount(target, 0);
    for (const loop of this.#loops) run("losetup", "--detach", loop);
    rmSync(this.dir, { recursive: true });
  }
}
