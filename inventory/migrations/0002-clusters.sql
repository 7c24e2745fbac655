-- Clusters, roles and installs. docs/schema.md explains each table and column.
-- Never edited after release: a change is a new file.

-- Roles come from files now: which names exist is the topology's question, not the database's.
DROP INDEX IF EXISTS machines_untouched;
ALTER TABLE machines ADD COLUMN any_role TEXT;
UPDATE machines SET any_role = role;
ALTER TABLE machines DROP COLUMN role;
ALTER TABLE machines RENAME COLUMN any_role TO role;

ALTER TABLE machines ADD COLUMN cluster TEXT;
ALTER TABLE machines ADD COLUMN spec TEXT CHECK (spec IS NULL OR json_valid(spec));
ALTER TABLE machines ADD COLUMN install TEXT CHECK (install IS NULL OR json_valid(install));
ALTER TABLE machines ADD COLUMN installation TEXT CHECK (installation IS NULL OR json_valid(installation));
ALTER TABLE machines ADD COLUMN verb TEXT CHECK (verb IS NULL OR json_valid(verb));
-- NULL for none, so that a machine that was never sent to its disk reads as before.
ALTER TABLE machines ADD COLUMN disk_boots INTEGER CHECK (disk_boots IS NULL OR disk_boots > 0);

-- What strangers can fill: counted at each new MAC, forgotten in this order.
CREATE INDEX machines_untouched ON machines (seen_at, id)
  WHERE lifecycle = 'discovered' AND seen_at IS NOT NULL
    AND coalesce(name, role, cluster, spec, address, boot, key_fingerprint) IS NULL;
CREATE INDEX machines_by_cluster ON machines (cluster) WHERE cluster IS NOT NULL;

-- No secret is in here: a cluster's bundle lies sealed in dataDir/secrets.
CREATE TABLE clusters (
  name                  TEXT PRIMARY KEY,
  spec                  TEXT NOT NULL CHECK (json_valid(spec)),
  bootstrap             TEXT NOT NULL CHECK (json_valid(bootstrap)),
  new_data_permitted_at INTEGER,
  created_at            TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
  name TEXT PRIMARY KEY,
  spec TEXT NOT NULL CHECK (json_valid(spec))
) STRICT, WITHOUT ROWID;

-- Which boot attempt a key was enrolled in: a config is given out once per attempt.
CREATE INDEX tickets_by_key ON tickets (key_fingerprint) WHERE key_fingerprint IS NOT NULL;
