-- What was ordered of agents and what came of it, on SQLite; and what a portal link was made for. The same
-- tables stand in ../postgres, column for column.

CREATE TABLE commands (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL, -- 32 hex digits, made by the hub
  agent          TEXT    NOT NULL,
  kind           TEXT    NOT NULL, -- as in `platen-hub cmd`
  issuer         TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  body           BLOB    NOT NULL, -- the signed command, as it is sent
  made_ms        INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  sent           INTEGER NOT NULL DEFAULT 0, -- how often
  last_sent_ms   INTEGER,
  state          TEXT    NOT NULL, -- open, underway, done, refused, failed, expired
  progress       TEXT    NOT NULL DEFAULT '', -- the agent's newest word before its last
  why            TEXT    NOT NULL DEFAULT '',
  result         BLOB,
  answered_ms    INTEGER,          -- when it left `open` and `underway`
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
) STRICT;
CREATE INDEX commands_agent ON commands (tenant, agent, made_ms);
CREATE INDEX commands_open ON commands (tenant, answered_ms, last_sent_ms);

ALTER TABLE portal_links ADD COLUMN name TEXT NOT NULL DEFAULT 'portal'; -- whom it was made for
ALTER TABLE portal_links ADD COLUMN rights TEXT NOT NULL DEFAULT '';     -- what for
ALTER TABLE portal_sessions ADD COLUMN name TEXT NOT NULL DEFAULT 'portal';
ALTER TABLE portal_sessions ADD COLUMN rights TEXT NOT NULL DEFAULT '';
