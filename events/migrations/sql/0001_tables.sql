-- The log, over the table layout of the eventsourcing library, with columns of ours beside it.
CREATE TABLE stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigint NOT NULL,
    stream_type text COLLATE "C" NOT NULL DEFAULT '',
    subject_id uuid,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    metadata json,
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    -- Only ever appended to: vacuum for the visibility map and for freezing, not for dead rows.
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_freeze_min_age = 1000000
);
CREATE UNIQUE INDEX stored_events_notification_id_idx ON stored_events (notification_id);
CREATE INDEX stored_events_subject_idx ON stored_events (subject_id, notification_id) WHERE subject_id IS NOT NULL;

-- The composite type that the library's own recorder looks for.
CREATE TYPE stored_event_uuid AS (originator_id uuid, originator_version bigint, topic text, state bytea);

CREATE FUNCTION refuse_to_rewrite_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The log is append-only: % on stored_events is refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Record a new event that says what changed.';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_history();

-- Beside the log: what is a secret, a counter or a lock is not history.
CREATE TABLE data_keys (
    subject_id uuid PRIMARY KEY,
    key_id uuid NOT NULL,
    master_id text NOT NULL,
    wrapped bytea,
    forgotten_at timestamptz,
    CHECK ((wrapped IS NULL) = (forgotten_at IS NOT NULL))
);
COMMENT ON TABLE data_keys IS 'One key a person; wrapped IS NULL is the tombstone of one that was forgotten.';

CREATE TABLE client_keys (
    month text COLLATE "C" PRIMARY KEY,
    key_id uuid NOT NULL UNIQUE,
    master_id text NOT NULL,
    wrapped bytea
);
COMMENT ON TABLE client_keys IS 'One key a month seals client addresses and user agents; wrapped IS NULL once its time is over.';

CREATE TABLE claims (
    scope text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    owner_id uuid NOT NULL,
    proven boolean NOT NULL DEFAULT false,
    claimed_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE TABLE secrets (
    owner_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    subject_id uuid NOT NULL,
    revision bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (owner_id, kind)
) WITH (fillfactor = 70);
CREATE INDEX secrets_subject_idx ON secrets (subject_id);

CREATE TABLE receipts (
    key bytea PRIMARY KEY,
    fingerprint bytea NOT NULL,
    sealed bytea NOT NULL,
    subject_id uuid,
    position bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX receipts_expiry_idx ON receipts (expires_at);
CREATE INDEX receipts_subject_idx ON receipts (subject_id) WHERE subject_id IS NOT NULL;
COMMENT ON TABLE receipts IS 'What was answered to a request with an Idempotency-Key, sealed under a key made of that key.';

CREATE TABLE signing_keys (
    key_id text COLLATE "C" PRIMARY KEY,
    algorithm text NOT NULL,
    public_key bytea NOT NULL,
    master_id text NOT NULL,
    wrap_id uuid NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz
);

-- Where each partition of each projection and reaction stands, changed in the transaction of its rows.
CREATE TABLE checkpoints (
    consumer text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    partitions integer NOT NULL,
    position bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, partition)
) WITH (fillfactor = 20);

CREATE TABLE parked_events (
    consumer text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    partition integer NOT NULL,
    key uuid NOT NULL,
    cause text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, position)
);
CREATE INDEX parked_events_key_idx ON parked_events (consumer, key);

-- What reactions owe: references only, the text is rendered at sending.
CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    position bigint NOT NULL,
    reaction text COLLATE "C" NOT NULL,
    slot text COLLATE "C" NOT NULL,
    subject_id uuid NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'sent', 'obsolete', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cause text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at timestamptz,
    UNIQUE (position, reaction, slot)
);
CREATE INDEX deliveries_waiting_idx ON deliveries (next_attempt_at) WHERE status = 'waiting';
CREATE INDEX deliveries_subject_idx ON deliveries (subject_id);

CREATE SCHEMA views;
