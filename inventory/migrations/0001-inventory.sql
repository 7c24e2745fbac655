-- The inventory as of Slipway 0.1.0. docs/schema.md explains each table; a test compares the CHECKs with machine.ts.
-- Never edited after release: a change is a new file.

CREATE TABLE machines (
  id              TEXT PRIMARY KEY,
  uuid            TEXT,
  serial          TEXT,
  -- Names become host names, and DNS knows no upper case.
  name            TEXT COLLATE NOCASE UNIQUE,
  role            TEXT CHECK (role IN ('controlplane', 'worker')),
  address         TEXT UNIQUE,
  boot            TEXT CHECK (boot IN ('os', 'disk', 'ignore')),
  lifecycle       TEXT NOT NULL CHECK (lifecycle IN ('discovered', 'approved', 'installed', 'ready', 'retired')),
  activity        TEXT NOT NULL CHECK (activity IN ('off', 'firmware', 'loading', 'running', 'waiting', 'installing',
                                                    'trying', 'rolling-back', 'resetting', 'failed')),
  activity_reason TEXT,
  arch            TEXT,
  firmware        TEXT,
  product         TEXT,
  facts           TEXT CHECK (facts IS NULL OR json_valid(facts)),
  install_disk    TEXT,
  key_fingerprint TEXT,
  pairing_code    TEXT,
  created_at      TEXT NOT NULL,
  -- NULL until the wire has shown it.
  seen_at         TEXT,
  approved_at     TEXT,
  approved_by     TEXT,
  CHECK (activity <> 'failed' OR activity_reason IS NOT NULL)
) STRICT;
CREATE INDEX machines_by_uuid ON machines (uuid) WHERE uuid IS NOT NULL;
-- What strangers can fill: counted at each new MAC, forgotten in this order.
CREATE INDEX machines_untouched ON machines (seen_at, id)
  WHERE lifecycle = 'discovered' AND seen_at IS NOT NULL
    AND coalesce(name, role, address, boot, key_fingerprint) IS NULL;

CREATE TABLE macs (
  mac        TEXT PRIMARY KEY CHECK (length(mac) = 17 AND mac = lower(mac)),
  machine_id TEXT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
  position   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX macs_by_machine ON macs (machine_id, position);

CREATE TABLE leases (
  subnet     TEXT NOT NULL,
  address    TEXT NOT NULL,
  mac        TEXT NOT NULL,
  client_id  TEXT,
  hostname   TEXT,
  state      TEXT NOT NULL CHECK (state IN ('bound', 'released', 'declined')),
  started_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (subnet, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE boot_attempts (
  id         TEXT PRIMARY KEY,
  machine_id TEXT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
  mac        TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  source_ip  TEXT NOT NULL,
  platform   TEXT,
  arch       TEXT,
  decision   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX boot_attempts_by_machine ON boot_attempts (machine_id);
CREATE INDEX boot_attempts_by_time ON boot_attempts (started_at);

CREATE TABLE tickets (
  id              TEXT PRIMARY KEY REFERENCES boot_attempts (id) ON DELETE CASCADE,
  machine_id      TEXT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
  mac             TEXT NOT NULL,
  source_ip       TEXT NOT NULL,
  issued_at       INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  -- SHA-256; the token itself is nowhere.
  token_hash      TEXT UNIQUE,
  fetched_at      INTEGER,
  key_fingerprint TEXT,
  spent_at        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_by_machine ON tickets (machine_id);

-- Outlives its machine: a certificate stays revoked when the machine is removed.
CREATE TABLE revoked_keys (
  fingerprint TEXT PRIMARY KEY,
  machine_id  TEXT NOT NULL,
  reason      TEXT NOT NULL,
  revoked_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  kind       TEXT NOT NULL,
  mac        TEXT,
  machine_id TEXT,
  attempt_id TEXT,
  detail     TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;
CREATE INDEX events_by_mac ON events (mac, seq) WHERE mac IS NOT NULL;
CREATE INDEX events_by_machine ON events (machine_id, seq) WHERE machine_id IS NOT NULL;

CREATE TABLE audit (
  seq    INTEGER PRIMARY KEY AUTOINCREMENT,
  at     TEXT NOT NULL,
  actor  TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL,
  -- SHA-256 over the previous entry's hash and this entry, hex.
  hash   TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE marks (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
