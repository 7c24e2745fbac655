-- Log lines of machines, in a file of their own: they are many, worth little each, and written without sync.

CREATE TABLE log_lines (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  mac    TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('kernel', 'agent')),
  text   TEXT NOT NULL
) STRICT;
CREATE INDEX log_lines_by_mac ON log_lines (mac, seq);
