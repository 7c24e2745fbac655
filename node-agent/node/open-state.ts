// The node's own memory: STATE, a partition on metal and a directory of /var in a container. Edge: files, mode 0600. Holds the
// machine config, which install this is, the last leases, time and list of peers; key and certificate lie there too (store.ts).
import { chmodSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Peer } from "../../server/contract/generated/agent.ts";
import { type ConfigNote, decodeMachineConfig } from "../../server/contract/machine-config/decode.ts";
import { type NodeConfig, nodeConfigOf } from "../../server/contract/machine-config/node-config.ts";
import { type KeptFile, openKeptFile } from "../open-kept-file.ts";
import {
  formatInstall,
  formatLeases,
  formatPeers,
  formatSchema,
  formatTime,
  type InstallRecord,
  parseInstall,
  parseLeases,
  parsePeers,
  parseSchema,
  parseTime,
  type SavedLeases,
  STATE_SCHEMA,
} from "./state-files.ts";

/** Names below STATE. The install lays the first five; an agent of any version finds them there. */
export const STATE_NAMES = {
  schema: "schema.json",
  config: "config.yaml",
  identity: "identity.json",
  key: "key.pem",
  install: "install.json",
  network: "network.json",
  time: "time.json",
  peers: "cluster.json",
} as const;

/** What is the machine's, whatever cluster it is in. */
const OF_THE_MACHINE = ["identity", "key", "network", "time"] as const;

export type StoredConfig = { text: string; config: NodeConfig; notes: readonly ConfigNote[] };

export type NodeStore = {
  dir: string;
  /** What a node is made of; `blank` before the first install, `unusable` with reason and remedy. */
  read(): StoredNode;
  saveInstall(config: string, record: InstallRecord): void;
  readLeases(): SavedLeases;
  saveLeases(leases: SavedLeases): void;
  /** Milliseconds since 1970; undefined before the first. */
  readTime(): number | undefined;
  saveTime(unixMs: number): void;
  readPeers(): readonly Peer[];
  savePeers(peers: readonly Peer[]): void;
  /**
   * Forgets what other files of this and other rooms say of the cluster: the next install is another member.
   * @param isReset key and identity, too: the machine is a stranger again.
   */
  clear(isReset: boolean): void;
};

export type StoredNode =
  | { kind: "blank" }
  | { kind: "unusable"; reason: string; remedy: string }
  | { kind: "node"; config: StoredConfig; install: InstallRecord };

const REINSTALL = "Install this machine anew: slipway install MAC.";

/** @param dir is made when missing. @param say told of damaged files, in sentences. */
export function openNodeStore(dir: string, say: (text: string) => void): NodeStore {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const kept = <T>(name: keyof typeof STATE_NAMES, parse: (text: string) => T | undefined): KeptFile<T> =>
    openKeptFile(join(dir, STATE_NAMES[name]), parse, say);
  const schema = kept("schema", parseSchema);
  const config = kept("config", decodeStored);
  const install = kept("install", parseInstall);
  const [network, time, peers] = [kept("network", parseLeases), kept("time", parseTime), kept("peers", parsePeers)];
  return {
    dir,
    read: () => judge(dir, schema.read(), config.read(), install.read()),
    saveInstall: (text, record) => {
      schema.write(formatSchema());
      config.write(text);
      // Last: with it the node counts as installed.
      install.write(formatInstall(record));
    },
    readLeases: () => network.read() ?? {},
    saveLeases: (leases) => network.write(formatLeases(leases)),
    readTime: () => time.read(),
    saveTime: (unixMs) => time.write(formatTime(unixMs)),
    readPeers: () => peers.read() ?? [],
    savePeers: (list) => peers.write(formatPeers({ peers: [...list] })),
    clear: (isReset) => {
      // The install record first: with it gone nothing of the rest counts.
      install.remove();
      for (const name of readdirSync(dir)) {
        if (isReset || !OF_THE_MACHINE.some((own) => name.startsWith(STATE_NAMES[own]))) rmSync(join(dir, name));
      }
    },
  };
}

function judge(
  dir: string,
  schema: number | undefined,
  config: StoredConfig | undefined,
  install: InstallRecord | undefined,
): StoredNode {
  if (schema !== undefined && schema > STATE_SCHEMA) {
    return {
      kind: "unusable",
      reason: `${dir} was written by a newer Slipway OS (schema ${schema}; this one knows ${STATE_SCHEMA})`,
      remedy: "Boot the newer version again, or install this machine anew: slipway install MAC.",
    };
  }
  if (config === undefined && install === undefined) return { kind: "blank" };
  if (config === undefined) return unusable(`${dir}/${STATE_NAMES.config} holds no whole machine config`);
  if (install === undefined) return unusable(`${dir}/${STATE_NAMES.install} is missing or damaged`);
  return { kind: "node", config, install };
}

const unusable = (reason: string): StoredNode => ({ kind: "unusable", reason, remedy: REINSTALL });

/** Decoded as strictly as when it came: a config that this version cannot read is not half obeyed. */
function decodeStored(text: string): StoredConfig | undefined {
  const decoded = decodeMachineConfig(text);
  return decoded.kind === "config" ? { text, config: nodeConfigOf(decoded.config), notes: decoded.notes } : undefined;
}
