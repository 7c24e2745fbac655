// The firmware's boot variables, as efivarfs shows them. Edge. A firmware that refuses a write (its memory is full, or it lets
// nobody write) is an outcome: the disk starts by the loader's default name. Source: Linux, filesystems/efivarfs.
import { constants, type FileHandle, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Root } from "../read-sysfs.ts";
import type { BootVariables } from "./efi-boot-order.ts";
import { BOOT_ORDER, parseBootVariable } from "./efi-load-option.ts";
import { type DiskCalls, FS_IMMUTABLE, FS_IOC_GETFLAGS, FS_IOC_SETFLAGS } from "./open-disk-calls.ts";

const EFIVARS = "sys/firmware/efi/efivars";

/** Boot#### and BootOrder; undefined on BIOS, or where efivarfs is not mounted. */
export async function readBootVariables({ root }: Root): Promise<BootVariables | undefined> {
  const dir = join(root, EFIVARS);
  const names = await readdir(dir).catch(() => []);
  if (names.length === 0) return undefined;
  const wanted = names.filter((name) => name === BOOT_ORDER || parseBootVariable(name) !== undefined);
  const variables = new Map<string, Uint8Array>();
  for (const name of wanted) {
    const bytes = await readFile(join(dir, name)).catch(() => undefined);
    if (bytes !== undefined) variables.set(name, bytes);
  }
  return variables;
}

/** One variable of any name; undefined when it is not there. */
export const readVariable = ({ root }: Root, name: string): Promise<Buffer | undefined> =>
  readFile(join(root, EFIVARS, name)).catch(() => undefined);

export type VariableOutcome = { kind: "done" } | { kind: "refused"; reason: string };

/** Writes the whole variable with one write(2), as efivarfs wants it. */
export function writeVariable(from: Root, name: string, bytes: Uint8Array, calls: DiskCalls): Promise<VariableOutcome> {
  return outcomeOf(name, async () => {
    const path = join(from.root, EFIVARS, name);
    await allowChange(path, calls);
    const handle = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o644);
    try {
      await handle.write(bytes);
    } finally {
      await handle.close();
    }
  });
}

/** Removes it; one that is not there is no fault. */
export function removeVariable(from: Root, name: string, calls: DiskCalls): Promise<VariableOutcome> {
  return outcomeOf(name, async () => {
    const path = join(from.root, EFIVARS, name);
    await allowChange(path, calls);
    await rm(path, { force: true });
  });
}

async function outcomeOf(name: string, change: () => Promise<void>): Promise<VariableOutcome> {
  try {
    await change();
    return { kind: "done" };
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code ?? String(fault);
    return { kind: "refused", reason: `${name.slice(0, name.indexOf("-"))}: ${code}` };
  }
}

/** efivarfs marks most variables immutable, so that a careless `rm -r` bricks no board. */
async function allowChange(path: string, calls: DiskCalls): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY);
    const flags = Buffer.alloc(8);
    if (calls.ioctl(handle.fd, FS_IOC_GETFLAGS, flags) !== 0) return;
    const value = flags.readUInt32LE(0);
    if ((value & FS_IMMUTABLE) === 0) return;
    flags.writeUInt32LE((value & ~FS_IMMUTABLE) >>> 0, 0);
    calls.ioctl(handle.fd, FS_IOC_SETFLAGS, flags);
  } catch (fault) {
    // A new variable has no flags yet.
    if ((fault as NodeJS.ErrnoException).code !== "ENOENT") throw fault;
  } finally {
    await handle?.close();
  }
}
