-- A log that was restored from a backup is another one from there on: what was recorded after the backup is gone, and its
-- positions are given once more. An epoch is the time in which a position means one thing. A backup leaves this table empty,
-- so that nothing opens on what was restored before erasures were applied to it again.
CREATE TABLE epochs (
    number integer PRIMARY KEY CHECK (number > 0),
    position bigint NOT NULL,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE epochs IS 'Times in which positions mean one thing; after a restore another one begins, where the log then ends.';
INSERT INTO epochs (number, position) VALUES (1, 0);
GRANT SELECT ON epochs TO {writer}, {reader}, {projector};
