-- Failed sign-ins, counted before they are known to fail: an attempt is reserved under the row's lock, then the password is
-- hashed, and success gives it back. The key is that of the address' claim, whether or not anybody has that address;
-- `device` is empty for strangers, and names a device that has signed in before, which has a count of its own.
CREATE TABLE attempts (
    key bytea NOT NULL,
    device bytea NOT NULL,
    count integer NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (key, device)
) WITH (fillfactor = 50);
CREATE INDEX attempts_until_idx ON attempts (until);
COMMENT ON TABLE attempts IS 'How many sign-ins to an address have failed, or are under way, until when they are counted.';

-- The number of the attempt that is reserved, from 1 to `most`; null when there is none left until the time is over.
-- The last one begins the time anew: so long nobody else tries. What the server's failure would forget is no history.
CREATE FUNCTION reserve_attempt(key bytea, device bytea, most integer, seconds integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    reserved integer;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO attempts AS a (key, device, count, until)
        VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $4))
        ON CONFLICT ON CONSTRAINT attempts_pkey DO UPDATE SET
            count = CASE WHEN a.until <= clock_timestamp() THEN 1 ELSE a.count + 1 END,
            until = CASE WHEN a.until <= clock_timestamp() OR a.count + 1 >= $3
                THEN clock_timestamp() + make_interval(secs => $4) ELSE a.until END
        WHERE a.until <= clock_timestamp() OR a.count < $3
        RETURNING a.count INTO reserved;
    RETURN reserved;
END $$;
REVOKE ALL ON FUNCTION reserve_attempt FROM PUBLIC;

-- The right password disregards the failures before it (NIST SP 800-63B, 5.2.2): those of one device, or (null) of all.
CREATE FUNCTION forget_attempts(key bytea, device bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM attempts a WHERE a.key = $1 AND ($2 IS NULL OR a.device = $2);
END $$;
REVOKE ALL ON FUNCTION forget_attempts FROM PUBLIC;

CREATE FUNCTION prune_attempts(most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM attempts a USING (
            SELECT key, device FROM attempts WHERE until <= clock_timestamp() ORDER BY until LIMIT $1
            FOR UPDATE SKIP LOCKED) AS old
        WHERE a.key = old.key AND a.device = old.device AND a.until <= clock_timestamp()
        RETURNING 1
    ) SELECT count(*) FROM gone;
$$;
REVOKE ALL ON FUNCTION prune_attempts FROM PUBLIC;

-- When each regular work is to be done next; whoever moves the time on does it.
CREATE TABLE schedules (
    name text COLLATE "C" PRIMARY KEY,
    due_at timestamptz NOT NULL
);
COMMENT ON TABLE schedules IS 'When each regular work of the workers is due next; whoever moves the time on does it.';

-- Where regular work looks for addresses to free. Most claims are proven.
CREATE INDEX claims_unproven_idx ON claims (scope, key) WHERE NOT proven;

GRANT EXECUTE ON FUNCTION reserve_attempt, forget_attempts TO {writer};
GRANT EXECUTE ON FUNCTION prune_attempts TO {projector};
GRANT SELECT, INSERT, UPDATE ON schedules TO {projector};
