-- Devices that a person said are one printer, on SQLite. Readings keep the device they came with: to split is to
-- take the line away. The same table stands in ../postgres, column for column.

CREATE TABLE merges (
  tenant         TEXT    NOT NULL,
  device         TEXT    NOT NULL, -- shown as part of the other from now on
  into_device    TEXT    NOT NULL,
  merged_ms      INTEGER NOT NULL,
  merged_by      TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  PRIMARY KEY (tenant, device)
) STRICT;
