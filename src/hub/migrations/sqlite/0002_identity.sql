-- Who an agent is, for life, on SQLite: its site, its keys, every certificate it was given, the start it
-- last spoke from, and what was held against it. The same tables stand in ../postgres, column for column.

ALTER TABLE agents ADD COLUMN site TEXT NOT NULL DEFAULT '';     -- whose place it stands in
ALTER TABLE agents ADD COLUMN key_hash TEXT NOT NULL DEFAULT ''; -- SHA-256 of its public key (SubjectPublicKeyInfo)
ALTER TABLE agents ADD COLUMN sealing_key TEXT;                  -- X25519, hex: what secrets are sealed to
ALTER TABLE agents ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;   -- the start of it that last spoke
ALTER TABLE agents ADD COLUMN instance TEXT;                     -- of that start; absent: whoever speaks next is it
ALTER TABLE agents ADD COLUMN instance_ms INTEGER NOT NULL DEFAULT 0; -- when that start first spoke
ALTER TABLE agents ADD COLUMN quarantined_ms INTEGER;
ALTER TABLE agents ADD COLUMN quarantine TEXT;                   -- why
ALTER TABLE agents ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0; -- of this agent for good, since it was last let in

CREATE TABLE certificates (
  tenant         TEXT    NOT NULL,
  fingerprint    TEXT    NOT NULL, -- SHA-256 of the certificate (DER)
  agent          TEXT    NOT NULL,
  issued_ms      INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  state          TEXT    NOT NULL, -- issued, current, past (a later one was used), replaced (by an enrollment)
  ended_ms       INTEGER,          -- when it became past or replaced
  PRIMARY KEY (tenant, fingerprint),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
) STRICT;
CREATE INDEX certificates_agent ON certificates (tenant, agent);
INSERT INTO certificates (tenant, fingerprint, agent, issued_ms, expires_ms, state)
  SELECT tenant, fingerprint, id, enrolled_ms, expires_ms, 'current' FROM agents;

ALTER TABLE invitations ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE invitations ADD COLUMN approval INTEGER NOT NULL DEFAULT 0; -- 1: a person compares the key first
ALTER TABLE invitations ADD COLUMN key_hash TEXT;                -- of who asks for approval
ALTER TABLE invitations ADD COLUMN asked_ms INTEGER;             -- when that one first asked
ALTER TABLE invitations ADD COLUMN asked_from TEXT;              -- its network
ALTER TABLE invitations ADD COLUMN decision TEXT;                -- approved, refused
