-- What analysts read. Its views are made by whoever projects, over the tables that serve (projections/published.py).
CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'Views for analysts: documented, and safe to build on.';
GRANT USAGE, CREATE ON SCHEMA analytics TO {projector};
GRANT USAGE ON SCHEMA analytics TO {analyst}, {analyst_personal};

CREATE TABLE published (
    view text COLLATE "C" PRIMARY KEY,
    definition text NOT NULL
);
COMMENT ON TABLE published IS 'How each view of analysts was made, so that it is made anew only when that has changed.';
GRANT SELECT, INSERT, UPDATE, DELETE ON published TO {projector};

CREATE TABLE publishing (
    smallest_group integer NOT NULL CHECK (smallest_group >= 1)
);
CREATE UNIQUE INDEX publishing_one_idx ON publishing ((true));
INSERT INTO publishing VALUES (1);
COMMENT ON TABLE publishing IS 'One row: how many people a group must have for its size to be told.';
GRANT SELECT, UPDATE ON publishing TO {projector};

-- Sign-ins by UTC day, counted as they are tried, whether or not anybody has the address: failures are no events. A row for
-- each sixteenth of the connections, so that those who count at once seldom wait for each other.
CREATE TABLE sign_in_counts (
    day date NOT NULL,
    share integer NOT NULL,
    attempted bigint NOT NULL,
    succeeded bigint NOT NULL,
    PRIMARY KEY (day, share)
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE sign_in_counts IS 'How many sign-ins were tried on a day, and how many of them succeeded.';
GRANT SELECT ON sign_in_counts TO {reader}, {projector};

CREATE FUNCTION count_sign_ins(device bytea, attempted integer, succeeded integer) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF device = 'present password'::bytea THEN  -- someone who is signed in was asked for it: no sign-in
        RETURN;
    END IF;
    INSERT INTO sign_in_counts AS c (day, share, attempted, succeeded)
        VALUES ((clock_timestamp() AT TIME ZONE 'UTC')::date, pg_backend_pid() % 16, $2, $3)
        ON CONFLICT ON CONSTRAINT sign_in_counts_pkey DO UPDATE SET
            attempted = c.attempted + excluded.attempted, succeeded = c.succeeded + excluded.succeeded;
END $$;
REVOKE ALL ON FUNCTION count_sign_ins FROM PUBLIC;

-- As before, and it is counted, last of all: the row of the count is held for no longer than the commit takes.
CREATE OR REPLACE FUNCTION reserve_attempt(key bytea, device bytea, most integer, seconds integer) RETURNS integer
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
    PERFORM count_sign_ins($2, 1, 0);
    RETURN reserved;
END $$;

-- With a device, somebody has just signed in from it; without, attempts are forgotten for another reason.
CREATE OR REPLACE FUNCTION forget_attempts(key bytea, device bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM attempts a WHERE a.key = $1 AND ($2 IS NULL OR a.device = $2);
    IF $2 IS NOT NULL THEN
        PERFORM count_sign_ins($2, 0, 1);
    END IF;
END $$;
