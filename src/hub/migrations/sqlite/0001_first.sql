-- The hub's first schema on SQLite. Times are Unix milliseconds, booleans 0 or 1, hashes lower-case
-- hex, bodies JSON. The same tables stand in ../postgres, column for column.

CREATE TABLE agents (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL, -- 32 hex digits, made by the hub, the name in the certificate
  name           TEXT    NOT NULL, -- what people call it
  fingerprint    TEXT    NOT NULL, -- SHA-256 of its certificate (DER)
  expires_ms     INTEGER NOT NULL, -- when the certificate ends
  enrolled_ms    INTEGER NOT NULL,
  revoked_ms     INTEGER,
  last_poll_ms   INTEGER,
  version        TEXT    NOT NULL,
  status         TEXT,             -- what it last told of itself
  trouble        TEXT,             -- why its reports are refused, if they are
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX agents_name ON agents (tenant, name);
CREATE UNIQUE INDEX agents_fingerprint ON agents (tenant, fingerprint);

CREATE TABLE invitations (
  tenant         TEXT    NOT NULL,
  secret_hash    TEXT    NOT NULL, -- the secret itself is nowhere
  agent_name     TEXT    NOT NULL,
  made_ms        INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  used_ms        INTEGER,
  tries          INTEGER NOT NULL, -- that came with the right secret and were refused
  PRIMARY KEY (tenant, secret_hash)
) STRICT;

CREATE TABLE refusals (
  tenant         TEXT    NOT NULL,
  network        TEXT    NOT NULL, -- where the refused enrollment came from
  at_ms          INTEGER NOT NULL
) STRICT;
CREATE INDEX refusals_network ON refusals (tenant, network, at_ms);

CREATE TABLE positions (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          INTEGER NOT NULL, -- of the agent's spool
  acked          INTEGER NOT NULL, -- every report up to this one is kept, or was explained
  asked          INTEGER NOT NULL, -- the sequence the agent was last asked to send again, or 0
  PRIMARY KEY (tenant, agent, epoch),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
) STRICT;

CREATE TABLE reports (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          INTEGER NOT NULL,
  sequence       INTEGER NOT NULL,
  device         TEXT    NOT NULL, -- empty for a report about no single device
  kind           TEXT    NOT NULL, -- reading, status, silent, thinned
  at_ms          INTEGER NOT NULL, -- when it was seen at the site
  kept_ms        INTEGER NOT NULL, -- when the hub kept it
  PRIMARY KEY (tenant, agent, epoch, sequence),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE readings (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          INTEGER NOT NULL,
  sequence       INTEGER NOT NULL,
  device         TEXT    NOT NULL,
  at_ms          INTEGER NOT NULL,
  is_status      INTEGER NOT NULL, -- 1: the cheap read, built on the last full one
  total          INTEGER,          -- the meter `total` in impressions, where it was told
  body           TEXT    NOT NULL, -- docs/reading.md
  PRIMARY KEY (tenant, agent, epoch, sequence),
  FOREIGN KEY (tenant, agent, epoch, sequence) REFERENCES reports (tenant, agent, epoch, sequence)
) STRICT;
CREATE INDEX readings_device ON readings (tenant, device, at_ms, total);

CREATE TABLE thinned (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          INTEGER NOT NULL,
  sequence       INTEGER NOT NULL,
  device         TEXT    NOT NULL, -- empty: of several devices
  reports        INTEGER NOT NULL, -- given up at the site for want of space
  first_ms       INTEGER NOT NULL,
  last_ms        INTEGER NOT NULL,
  PRIMARY KEY (tenant, agent, epoch, sequence),
  FOREIGN KEY (tenant, agent, epoch, sequence) REFERENCES reports (tenant, agent, epoch, sequence)
) STRICT;

CREATE TABLE devices (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  device         TEXT    NOT NULL, -- 32 hex digits, made by the agent
  first_seen_ms  INTEGER NOT NULL,
  last_seen_ms   INTEGER NOT NULL,
  silent_since_ms INTEGER,         -- no answer since then, absent while it answers
  serial         TEXT,
  address        TEXT,
  body           TEXT    NOT NULL, -- the latest reading
  PRIMARY KEY (tenant, agent, device),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
) STRICT;
CREATE INDEX devices_device ON devices (tenant, device);

CREATE TABLE portal_links (
  tenant         TEXT    NOT NULL,
  token_hash     TEXT    NOT NULL,
  made_ms        INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  used_ms        INTEGER,
  PRIMARY KEY (tenant, token_hash)
) STRICT;

CREATE TABLE portal_sessions (
  tenant         TEXT    NOT NULL,
  token_hash     TEXT    NOT NULL,
  made_ms        INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  PRIMARY KEY (tenant, token_hash)
) STRICT;
