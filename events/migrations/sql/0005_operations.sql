-- What a partition took in since its beginning, the same fading away within seconds, and how many events it has parked.
ALTER TABLE checkpoints
    ADD COLUMN taken bigint NOT NULL DEFAULT 0,
    ADD COLUMN lately double precision NOT NULL DEFAULT 0,
    ADD COLUMN parked integer NOT NULL DEFAULT 0;
UPDATE checkpoints c SET parked = (
    SELECT count(*) FROM parked_events p WHERE p.consumer = c.consumer AND p.partition = c.partition);
CREATE INDEX parked_events_partition_idx ON parked_events (consumer, partition, position);

-- Lists of deliveries, the newest first; those that were given up are few, and sought often.
CREATE INDEX deliveries_dead_idx ON deliveries (position DESC, id DESC) WHERE status = 'dead';
CREATE INDEX deliveries_position_idx ON deliveries (position DESC, id DESC);
DROP INDEX deliveries_subject_idx;
CREATE INDEX deliveries_subject_idx ON deliveries (subject_id, position DESC, id DESC);

-- Deliveries that were given up are sent after all: all of them (null), or these. Which ones there were.
CREATE FUNCTION redrive_deliveries(ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE deliveries SET status = 'waiting', attempts = 0, cause = NULL, settled_at = NULL,
        next_attempt_at = clock_timestamp()
    WHERE status = 'dead' AND ($1 IS NULL OR id = ANY ($1))
    RETURNING id;
$$;
REVOKE ALL ON FUNCTION redrive_deliveries FROM PUBLIC;

-- Commands decide on what is parked and on what was given up.
GRANT SELECT ON checkpoints, parked_events, deliveries TO {writer};
GRANT EXECUTE ON FUNCTION redrive_deliveries TO {writer}, {projector};
