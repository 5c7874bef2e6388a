-- Who may tunnel, on SQLite: the key in each certificate, the personal keys of people, and what a stock sshd lets
-- agents listen on. The same tables stand in ../postgres, column for column.

ALTER TABLE certificates ADD COLUMN key_hash TEXT NOT NULL DEFAULT ''; -- SHA-256 of the key in it (SubjectPublicKeyInfo)
UPDATE certificates SET key_hash = COALESCE(
  (SELECT a.key_hash FROM agents a WHERE a.tenant = certificates.tenant AND a.id = certificates.agent), '')
  WHERE state IN ('issued', 'current');

CREATE TABLE ssh_keys (
  tenant         TEXT    NOT NULL,
  name           TEXT    NOT NULL, -- whose: the name in links to the portal, and the user in SSH
  fingerprint    TEXT    NOT NULL, -- SHA-256 of the key as SSH writes it, hex
  public_key     TEXT    NOT NULL, -- a line of OpenSSH, without its comment
  rights         TEXT    NOT NULL, -- what it may be used for
  made_ms        INTEGER NOT NULL,
  PRIMARY KEY (tenant, name, fingerprint)
) STRICT;

CREATE TABLE gateway_forwards (
  tenant         TEXT    NOT NULL,
  session        TEXT    NOT NULL, -- 32 hex digits
  agent          TEXT    NOT NULL, -- who may listen
  port           INTEGER NOT NULL, -- of the sshd
  until_ms       INTEGER NOT NULL,
  PRIMARY KEY (tenant, session),
  FOREIGN KEY (tenant, agent) REFERENCES agents (tenant, id)
) STRICT;
CREATE UNIQUE INDEX gateway_forwards_port ON gateway_forwards (tenant, port);
