// The name of a node that nobody named: `rack1-cp-1`, `rack1-worker-2`. Inventory name = hostname = node name = etcd member's
// name, so it is written into the inventory before a config is rendered, and stays. Pure.

const LONGEST = 63;

/** What stands between cluster and number. A role of a file keeps its own name: `rack1-storage-1`. */
const SHORT: Readonly<Record<string, string>> = { controlplane: "cp" };

/** The first free one by number. @param taken names of all machines of the inventory. */
export function chooseNodeName(cluster: string, role: string, taken: readonly string[]): string {
  const names = new Set(taken);
  for (let n = 1; ; n++) {
    const end = `-${SHORT[role] ?? role}-${n}`;
    // A role's name has at most 63 letters too; what is left of both must still be a host name.
    const name = `${cluster.slice(0, Math.max(1, LONGEST - end.length))}${end}`.slice(-LONGEST).replace(/^-+/, "");
    if (!names.has(name)) return name;
  }
}
