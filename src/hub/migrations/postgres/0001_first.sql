-- The hub's first schema on PostgreSQL. Times are Unix milliseconds, booleans 0 or 1, hashes lower-case
-- hex, bodies JSON. The same tables stand in ../sqlite, column for column.

CREATE TABLE agents (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL, -- 32 hex digits, made by the hub, the name in the certificate
  name           TEXT    NOT NULL, -- what people call it
  fingerprint    TEXT    NOT NULL, -- SHA-256 of its certificate (DER)
  expires_ms     BIGINT  NOT NULL, -- when the certificate ends
  enrolled_ms    BIGINT  NOT NULL,
  revoked_ms     BIGINT, 
  last_poll_ms   BIGINT, 
  version        TEXT    NOT NULL,
  status         TEXT,             -- what it last told of itself
  trouble        TEXT,             -- why its reports are refused, if they are
  PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX agents_name ON agents (tenant, name);
CREATE UNIQUE INDEX agents_fingerprint ON agents (tenant, fingerprint);

CREATE TABLE invitations (
  tenant         TEXT    NOT NULL,
  secret_hash    TEXT    NOT NULL, -- the secret itself is nowhere
  agent_name     TEXT    NOT NULL,
  made_ms        BIGINT  NOT NULL,
  expires_ms     BIGINT  NOT NULL,
  used_ms        BIGINT, 
  tries          BIGINT  NOT NULL, -- that came with the right secret and were refused
  PRIMARY KEY (tenant, secret_hash)
);

CREATE TABLE refusals (
  tenant         TEXT    NOT NULL,
  network        TEXT    NOT NULL, -- where the refused enrollment came from
  at_ms          BIGINT  NOT NULL
);
CREATE INDEX refusals_network ON refusals (tenant, network, at_ms);

CREATE TABLE positions (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          BIGINT  NOT NULL, -- of the agent's spool
  acked          BIGINT  NOT NULL, -- every report up to this one is kept, or was explained
  asked          BIGINT  NOT NULL, -- the sequence the agent was last asked to send again, or 0
  PRIMARY KEY (tenant, agent, epoch),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
);

CREATE TABLE reports (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          BIGINT  NOT NULL,
  sequence       BIGINT  NOT NULL,
  device         TEXT    NOT NULL, -- empty for a report about no single device
  kind           TEXT    NOT NULL, -- reading, status, silent, thinned
  at_ms          BIGINT  NOT NULL, -- when it was seen at the site
  kept_ms        BIGINT  NOT NULL, -- when the hub kept it
  PRIMARY KEY (tenant, agent, epoch, sequence),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
);

CREATE TABLE readings (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          BIGINT  NOT NULL,
  sequence       BIGINT  NOT NULL,
  device         TEXT    NOT NULL,
  at_ms          BIGINT  NOT NULL,
  is_status      BIGINT  NOT NULL, -- 1: the cheap read, built on the last full one
  total          BIGINT,           -- the meter `total` in impressions, where it was told
  body           TEXT    NOT NULL, -- docs/reading.md
  PRIMARY KEY (tenant, agent, epoch, sequence),
  FOREIGN KEY (tenant, agent, epoch, sequence) REFERENCES reports (tenant, agent, epoch, sequence)
);
CREATE INDEX readings_device ON readings (tenant, device, at_ms, total);

CREATE TABLE thinned (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  epoch          BIGINT  NOT NULL,
  sequence       BIGINT  NOT NULL,
  device         TEXT    NOT NULL, -- empty: of several devices
  reports        BIGINT  NOT NULL, -- given up at the site for want of space
  first_ms       BIGINT  NOT NULL,
  last_ms        BIGINT  NOT NULL,
  PRIMARY KEY (tenant, agent, epoch, sequence),
  FOREIGN KEY (tenant, agent, epoch, sequence) REFERENCES reports (tenant, agent, epoch, sequence)
);

CREATE TABLE devices (
  tenant         TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  device         TEXT    NOT NULL, -- 32 hex digits, made by the agent
  first_seen_ms  BIGINT  NOT NULL,
  last_seen_ms   BIGINT  NOT NULL,
  silent_since_ms BIGINT,          -- no answer since then, absent while it answers
  serial         TEXT,
  address        TEXT,
  body           TEXT    NOT NULL, -- the latest reading
  PRIMARY KEY (tenant, agent, device),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
);
CREATE INDEX devices_device ON devices (tenant, device);

CREATE TABLE portal_links (
  tenant         TEXT    NOT NULL,
  token_hash     TEXT    NOT NULL,
  made_ms        BIGINT  NOT NULL,
  expires_ms     BIGINT  NOT NULL,
  used_ms        BIGINT, 
  PRIMARY KEY (tenant, token_hash)
);

CREATE TABLE portal_sessions (
  tenant         TEXT    NOT NULL,
  token_hash     TEXT    NOT NULL,
  made_ms        BIGINT  NOT NULL,
  expires_ms     BIGINT  NOT NULL,
  PRIMARY KEY (tenant, token_hash)
);
