// All SQL about marks: small durable facts by name. Called by store.ts.
import type { Database } from "better-sqlite3";

export function markQueries(db: Database) {
  const one = db.prepare<[string], { value: string }>("SELECT value FROM marks WHERE name = ?");
  const upsert = db.prepare<[string, string]>(
    "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  );
  return {
    find: (name: string) => one.get(name)?.value,
    save: (name: string, value: string) => upsert.run(name, value),
  };
}
