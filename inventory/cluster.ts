// What the inventory keeps of clusters and roles, and of a machine's way into one. The documents are the topology's
// (server/cluster/topology.ts) as plain data: this room stores them and never reads them. Secrets are not here: they lie
// sealed in files. Pure: types only.

/** A cluster. `spec` is its document's spec, endpoint chosen. */
export type ClusterRecord = {
  name: string;
  spec: Readonly<Record<string, unknown>>;
  /** server/cluster/bootstrap.ts BootstrapRecord, committed before a node is told. */
  bootstrap: Readonly<Record<string, unknown>>;
  /** When a person last permitted a first member for new data; milliseconds since 1970. */
  newDataPermittedAt?: number;
  /** ISO-8601 UTC. */
  createdAt: string;
};

/** A role that a file defines; the built-in two have no record. */
export type RoleRecord = { name: string; spec: Readonly<Record<string, unknown>> };

/** The install that a machine is to do, or does. Gone when it is confirmed. */
export type PendingInstall = {
  /** By chance; the marker on the disk and the config's hand-out name it. */
  order: string;
  mayWipe: boolean;
  /** Milliseconds since 1970: the armed window (design §6.3) begins at the first contact with this order. */
  orderedAt: number;
  firstContactAt?: number;
  /** SHA-256 of the key that was given the config, hex: the same one may have it again until it confirms. */
  givenToKey?: string;
  /** The boot attempt that it was given in; a later attempt of the machine may have it again. */
  givenInAttempt?: string;
  /** The cluster whose config it was given. */
  cluster?: string;
  /** What keeps it from going on, with the remedy; a person's or the agent's next word clears it. */
  failure?: { reason: string; remedy: string };
};

/** What stands on a machine's disk, as its agent confirmed it. */
export type Installation = {
  installId: string;
  number: number;
  disk: string;
  at: number;
  /** The cluster whose config is on it: that holds, whatever other clusters are made later. */
  cluster?: string;
};

/** A person's word to an agent, until the agent has taken it. */
export type PendingVerb = { id: string; verb: "reboot" | "shutdown" | "reset"; at: number };
