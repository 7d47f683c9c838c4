-- Which table answers for each version of a read model: `serving`, null while its first one is being built. `previous` served
-- before it and is projected on, for going back. Tables are numbered, and no number is given twice: what a dead rebuild may
-- still write never lands in a table of a later one.
CREATE TABLE read_models (
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    serving text COLLATE "C",
    previous text COLLATE "C",
    tables integer NOT NULL DEFAULT 0,
    swapped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version)
);
INSERT INTO read_models (name, version, serving, tables)
    SELECT DISTINCT substring(consumer FROM '^(.*)_v[0-9]+$'), substring(consumer FROM '_v([0-9]+)$')::integer, consumer, 1
    FROM checkpoints WHERE consumer ~ '^.+_v[0-9]+$';

-- The last rebuild of each: how far it is, or what became of it. Whoever does it holds an advisory lock meanwhile.
CREATE TABLE rebuilds (
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'asked'
        CHECK (state IN ('asked', 'building', 'indexing', 'following', 'done', 'stopped')),
    by_workers boolean NOT NULL,
    target text COLLATE "C",
    processes integer NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    total bigint NOT NULL DEFAULT 0,
    cause text,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    begun_at timestamptz,
    told_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version)
);

-- The table that a partition must not overtake: what served before stays behind what serves, so that no reader who meets
-- both, one after the other, goes back.
ALTER TABLE checkpoints ADD COLUMN follows text COLLATE "C";

-- Have the workers build a table anew: whether they do, null for no such read model. Not while that is under way.
CREATE FUNCTION ask_rebuild(name text, version integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM read_models m WHERE m.name = $1 AND m.version = $2) THEN
        RETURN NULL;
    END IF;
    IF NOT pg_try_advisory_xact_lock(x'72656275'::integer, hashtext($1 || '_v' || $2)) THEN
        RETURN false;
    END IF;
    INSERT INTO rebuilds AS r (name, version, by_workers) VALUES ($1, $2, true)
        ON CONFLICT ON CONSTRAINT rebuilds_pkey DO UPDATE SET state = 'asked', by_workers = true, target = NULL,
            processes = 0, done = 0, total = 0, cause = NULL, asked_at = clock_timestamp(), begun_at = NULL,
            told_at = clock_timestamp()
        WHERE r.state IN ('done', 'stopped') OR NOT r.by_workers;
    RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION ask_rebuild FROM PUBLIC;

GRANT SELECT ON read_models, rebuilds TO {reader};
GRANT SELECT ON read_models TO {writer};
GRANT SELECT, INSERT, UPDATE, DELETE ON read_models, rebuilds TO {projector};
GRANT EXECUTE ON FUNCTION ask_rebuild TO {writer}, {projector};
