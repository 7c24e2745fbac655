// All SQL about clusters and roles. Called by store.ts for reads, by change-clusters.ts inside a transaction.
import type { Database } from "better-sqlite3";
import type { ClusterRecord, RoleRecord } from "./cluster.ts";

type ClusterRow = {
  name: string;
  spec: string;
  bootstrap: string;
  new_data_permitted_at: number | null;
  created_at: string;
};
type RoleRow = { name: string; spec: string };

const clusterOf = (row: ClusterRow): ClusterRecord => ({
  name: row.name,
  spec: JSON.parse(row.spec),
  bootstrap: JSON.parse(row.bootstrap),
  ...(row.new_data_permitted_at === null ? {} : { newDataPermittedAt: row.new_data_permitted_at }),
  createdAt: row.created_at,
});
const roleOf = (row: RoleRow): RoleRecord => ({ name: row.name, spec: JSON.parse(row.spec) });

export function clusterQueries(db: Database) {
  const clusters = db.prepare<[], ClusterRow>("SELECT * FROM clusters ORDER BY name");
  const cluster = db.prepare<[string], ClusterRow>("SELECT * FROM clusters WHERE name = ?");
  const roles = db.prepare<[], RoleRow>("SELECT * FROM roles ORDER BY name");
  const role = db.prepare<[string], RoleRow>("SELECT * FROM roles WHERE name = ?");
  const upsertCluster = db.prepare(
    `INSERT INTO clusters (name, spec, bootstrap, new_data_permitted_at, created_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, bootstrap = excluded.bootstrap,
       new_data_permitted_at = excluded.new_data_permitted_at`,
  );
  const upsertRole = db.prepare(
    "INSERT INTO roles (name, spec) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET spec = excluded.spec",
  );
  const remove = db.prepare<[string]>("DELETE FROM clusters WHERE name = ?");
  const members = db.prepare<[string], { id: string }>(
    "SELECT id FROM machines WHERE cluster = ? ORDER BY created_at, id",
  );
  return {
    list: (): ClusterRecord[] => clusters.all().map(clusterOf),
    find: (name: string): ClusterRecord | undefined => {
      const row = cluster.get(name);
      return row && clusterOf(row);
    },
    /** `createdAt` of one that is there stays. */
    save: (c: ClusterRecord) =>
      upsertCluster.run(
        c.name,
        JSON.stringify(c.spec),
        JSON.stringify(c.bootstrap),
        c.newDataPermittedAt === undefined ? null : Math.floor(c.newDataPermittedAt),
        c.createdAt,
      ),
    delete: (name: string) => remove.run(name),
    /** Ids of the machines that name this cluster themselves. */
    listMemberIds: (name: string): string[] => members.all(name).map((row) => row.id),
    listRoles: (): RoleRecord[] => roles.all().map(roleOf),
    findRole: (name: string): RoleRecord | undefined => {
      const row = role.get(name);
      return row && roleOf(row);
    },
    saveRole: (r: RoleRecord) => upsertRole.run(r.name, JSON.stringify(r.spec)),
  };
}
