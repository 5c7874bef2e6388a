-- Sessions with printers' pages, the certificates that were seen there, and the audit, on SQLite. The same tables
-- stand in ../postgres, column for column.

CREATE TABLE web_sessions (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL, -- 32 hex digits, made by the hub
  agent          TEXT    NOT NULL,
  device         TEXT    NOT NULL,
  port           INTEGER NOT NULL,
  holder         TEXT    NOT NULL, -- who opened it
  reason         TEXT    NOT NULL,
  from_address   TEXT    NOT NULL DEFAULT '',
  opened_ms      INTEGER NOT NULL,
  until_ms       INTEGER NOT NULL,
  is_read_only   INTEGER NOT NULL,
  is_fallback    INTEGER NOT NULL, -- plain HTTP, because the printer's TLS is too old
  command        TEXT    NOT NULL DEFAULT '', -- the id of the command that asked the agent
  approved_by    TEXT    NOT NULL DEFAULT '', -- at the site, where it asks
  state          TEXT    NOT NULL, -- requested, open, ended
  ended_ms       INTEGER,
  cause          TEXT    NOT NULL DEFAULT '', -- who or what ended it, in one word
  why            TEXT    NOT NULL DEFAULT '', -- the same for a person
  end_wanted_by  TEXT,             -- who asked the running hub to end it
  requests       INTEGER NOT NULL DEFAULT 0,
  sent           INTEGER NOT NULL DEFAULT 0, -- octets to the printer
  received       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
) STRICT;
CREATE INDEX web_sessions_newest ON web_sessions (tenant, opened_ms);
CREATE INDEX web_sessions_live ON web_sessions (state, end_wanted_by);

CREATE TABLE web_pins (
  tenant         TEXT    NOT NULL,
  device         TEXT    NOT NULL,
  port           INTEGER NOT NULL,
  fingerprint    TEXT    NOT NULL, -- SHA-256 of the certificate's DER, hex
  first_seen_ms  INTEGER NOT NULL,
  taken_by       TEXT    NOT NULL, -- in whose session, or who took a changed one
  PRIMARY KEY (tenant, device, port)
) STRICT;

-- One chain for the whole hub: no line is changed or taken away, and each carries the hash of the one before.
CREATE TABLE audit (
  sequence       INTEGER NOT NULL PRIMARY KEY CHECK (sequence > 0), -- from 1 up, without a gap
  at_ms          INTEGER NOT NULL,
  tenant         TEXT    NOT NULL,
  session        TEXT    NOT NULL, -- empty where it is of none
  kind           TEXT    NOT NULL,
  body           TEXT    NOT NULL, -- JSON
  opening        INTEGER NOT NULL, -- the first sequence of those that were committed together
  before         TEXT    NOT NULL, -- the hash of the line before, hex
  hash           TEXT    NOT NULL, -- SHA-256 over all of the above, hex
  seal           TEXT    NOT NULL  -- HMAC of the hash under a key that is not in this database, hex
) STRICT;
CREATE INDEX audit_session ON audit (tenant, session, sequence);
CREATE INDEX audit_at ON audit (at_ms);
