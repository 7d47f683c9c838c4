-- Everything that is written to the log is written here: one call appends a batch of independent commands.
--
-- Commands are numbered from 1, and the events of those that are recorded get the positions after `head`, in order.
-- A command whose expectations do not hold is refused alone, with the reason, and leaves
-- nothing; the others are recorded. Commands of one batch touch different streams, claims, keys and secrets: the
-- committer sees to it. Expectations are looked up one by one through correlated subqueries, because a plan that was
-- chosen for a small array (a hash join over the whole table) is ruinous for the next large one.
CREATE FUNCTION append_events(
    stream_command integer[], stream_id uuid[], stream_version bigint[],
    key_command integer[], key_subject uuid[], key_id uuid[], key_master text[], key_wrapped bytea[],
    key_forgotten boolean[],
    claim_command integer[], claim_scope text[], claim_key bytea[],
    claim_expected uuid[], claim_owner uuid[], claim_proven boolean[],
    secret_command integer[], secret_owner uuid[], secret_kind text[], secret_subject uuid[],
    secret_revision bigint[], secret_sealed bytea[],
    receipt_command integer[], receipt_key bytea[], receipt_fingerprint bytea[], receipt_sealed bytea[],
    receipt_subject uuid[], receipt_seconds integer[], receipt_event integer[],
    event_command integer[], event_stream uuid[], event_version bigint[], event_topic text[], event_state bytea[],
    event_stream_type text[], event_subject uuid[], event_metadata text[]
) RETURNS TABLE (head bigint, refused integer[], reasons text[])
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    head_time timestamptz;
    now_ timestamptz;
    forgotten bigint;
BEGIN
    -- A transaction-level advisory lock, never a lock on the table, which would fight with vacuum.
    PERFORM pg_advisory_xact_lock(x'6d7573746572'::bigint);

    SELECT e.notification_id, e.recorded_at INTO head, head_time
        FROM stored_events e ORDER BY e.notification_id DESC LIMIT 1;
    head := coalesce(head, 0);
    now_ := greatest(head_time, clock_timestamp());

    SELECT coalesce(array_agg(r.command), '{}'), coalesce(array_agg(r.reason), '{}') INTO refused, reasons FROM (
        SELECT x.command, min(x.reason) AS reason FROM (
            SELECT s.command, 'stream' AS reason
                FROM unnest(stream_command, stream_id, stream_version) AS s (command, id, version)
                WHERE s.version IS DISTINCT FROM coalesce((
                    SELECT e.originator_version FROM stored_events e WHERE e.originator_id = s.id
                    ORDER BY e.originator_version DESC LIMIT 1), 0)
            UNION ALL
            -- A key that is made must be new; one that was used must be there still, whatever raced.
            SELECT k.command, 'key'
                FROM unnest(key_command, key_subject, key_id, key_wrapped) AS k (command, subject, id, wrapped)
                WHERE CASE WHEN k.wrapped IS NULL
                    THEN (SELECT d.wrapped IS NULL OR d.key_id <> k.id
                          FROM data_keys d WHERE d.subject_id = k.subject) IS NOT FALSE
                    ELSE (SELECT true FROM data_keys d WHERE d.subject_id = k.subject) END
            UNION ALL
            SELECT c.command, 'claim'
                FROM unnest(claim_command, claim_scope, claim_key, claim_expected) AS c (command, scope, key, expected)
                WHERE c.expected IS DISTINCT FROM (
                    SELECT d.owner_id FROM claims d WHERE d.scope = c.scope AND d.key = c.key)
            UNION ALL
            SELECT s.command, 'secret'
                FROM unnest(secret_command, secret_owner, secret_kind, secret_revision)
                    AS s (command, owner, kind, revision)
                WHERE s.revision IS DISTINCT FROM coalesce((
                    SELECT d.revision FROM secrets d WHERE d.owner_id = s.owner AND d.kind = s.kind), 0)
            UNION ALL
            SELECT r.command, 'receipt'
                FROM unnest(receipt_command, receipt_key) AS r (command, key)
                WHERE (SELECT d.expires_at > now_ FROM receipts d WHERE d.key = r.key)
        ) x GROUP BY x.command
    ) r;

    IF cardinality(key_command) > 0 THEN
        INSERT INTO data_keys (subject_id, key_id, master_id, wrapped)
            SELECT k.subject, k.id, k.master, k.wrapped
            FROM unnest(key_command, key_subject, key_id, key_master, key_wrapped)
                AS k (command, subject, id, master, wrapped)
            WHERE k.wrapped IS NOT NULL AND k.command <> ALL (refused);
    END IF;

    IF cardinality(claim_command) > 0 THEN
        INSERT INTO claims (scope, key, owner_id, proven, claimed_at)
            SELECT c.scope, c.key, c.owner, c.proven, now_
            FROM unnest(claim_command, claim_scope, claim_key, claim_expected, claim_owner, claim_proven)
                AS c (command, scope, key, expected, owner, proven)
            WHERE c.expected IS NULL AND c.owner IS NOT NULL AND c.command <> ALL (refused);
        IF EXISTS (SELECT FROM unnest(claim_expected) AS c (expected) WHERE c.expected IS NOT NULL) THEN
            UPDATE claims d SET owner_id = c.owner, proven = c.proven,
                    claimed_at = CASE WHEN d.owner_id = c.owner THEN d.claimed_at ELSE now_ END
                FROM unnest(claim_command, claim_scope, claim_key, claim_expected, claim_owner, claim_proven)
                    AS c (command, scope, key, expected, owner, proven)
                WHERE c.expected IS NOT NULL AND c.owner IS NOT NULL AND d.scope = c.scope AND d.key = c.key
                    AND c.command <> ALL (refused);
            DELETE FROM claims d
                USING unnest(claim_command, claim_scope, claim_key, claim_owner) AS c (command, scope, key, owner)
                WHERE c.owner IS NULL AND d.scope = c.scope AND d.key = c.key AND c.command <> ALL (refused);
        END IF;
    END IF;

    IF cardinality(secret_command) > 0 THEN
        INSERT INTO secrets (owner_id, kind, subject_id, revision, sealed)
            SELECT s.owner, s.kind, s.subject, 1, s.sealed
            FROM unnest(secret_command, secret_owner, secret_kind, secret_subject, secret_revision, secret_sealed)
                AS s (command, owner, kind, subject, revision, sealed)
            WHERE s.revision = 0 AND s.sealed IS NOT NULL AND s.command <> ALL (refused);
        IF EXISTS (SELECT FROM unnest(secret_revision) AS s (revision) WHERE s.revision > 0) THEN
            UPDATE secrets d SET revision = s.revision + 1, sealed = s.sealed
                FROM unnest(secret_command, secret_owner, secret_kind, secret_revision, secret_sealed)
                    AS s (command, owner, kind, revision, sealed)
                WHERE s.revision > 0 AND s.sealed IS NOT NULL AND d.owner_id = s.owner AND d.kind = s.kind
                    AND s.command <> ALL (refused);
            DELETE FROM secrets d
                USING unnest(secret_command, secret_owner, secret_kind, secret_sealed)
                    AS s (command, owner, kind, sealed)
                WHERE s.sealed IS NULL AND d.owner_id = s.owner AND d.kind = s.kind AND s.command <> ALL (refused);
        END IF;
    END IF;

    IF cardinality(receipt_command) > 0 THEN
        -- The command's last event is the batch's receipt_event-th, less those of the commands that were refused.
        INSERT INTO receipts AS d (key, fingerprint, sealed, subject_id, position, expires_at)
            SELECT r.key, r.fingerprint, r.sealed, r.subject,
                   CASE WHEN r.event IS NULL THEN head ELSE head + r.event - (
                       SELECT count(*) FROM unnest(event_command) AS e (command)
                       WHERE refused <> '{}' AND e.command < r.command AND e.command = ANY (refused)) END,
                   now_ + r.seconds * interval '1 second'
            FROM unnest(receipt_command, receipt_key, receipt_fingerprint, receipt_sealed, receipt_subject,
                        receipt_seconds, receipt_event)
                AS r (command, key, fingerprint, sealed, subject, seconds, event)
            WHERE r.command <> ALL (refused)
            ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, sealed = excluded.sealed,
                subject_id = excluded.subject_id, position = excluded.position, expires_at = excluded.expires_at;
    END IF;

    IF true = ANY (key_forgotten) THEN
        WITH gone AS (
            UPDATE data_keys d SET wrapped = NULL, forgotten_at = now_
                FROM unnest(key_command, key_subject, key_forgotten) AS k (command, subject, forgotten)
                WHERE k.forgotten AND d.subject_id = k.subject AND k.command <> ALL (refused)
                RETURNING d.subject_id
        ), secrets_gone AS (
            DELETE FROM secrets WHERE subject_id IN (SELECT g.subject_id FROM gone g)
        ), receipts_gone AS (
            DELETE FROM receipts WHERE subject_id IN (SELECT g.subject_id FROM gone g)
        )
        -- Every process that keeps unwrapped keys listens here.
        SELECT count(pg_notify('keys_forgotten', g.subject_id::text)) INTO forgotten FROM gone g;
    END IF;

    IF cardinality(event_command) > 0 THEN
        INSERT INTO stored_events (originator_id, originator_version, topic, state, notification_id,
                                   stream_type, subject_id, recorded_at, metadata)
            SELECT e.stream, e.version, e.topic, e.state,
                   head + CASE WHEN refused = '{}' THEN e.number ELSE row_number() OVER (ORDER BY e.number) END,
                   e.stream_type, e.subject, now_, e.metadata::json
            FROM unnest(event_command, event_stream, event_version, event_topic, event_state, event_stream_type,
                        event_subject, event_metadata) WITH ORDINALITY
                AS e (command, stream, version, topic, state, stream_type, subject, metadata, number)
            WHERE e.command <> ALL (refused);
        -- The channel on which the library's own subscribers listen; once a transaction, whatever the batch.
        PERFORM pg_notify('stored_events', '');
    END IF;
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION append_events FROM PUBLIC;

-- The key of a month is made by whoever needs it first; the one that is there wins.
CREATE FUNCTION make_client_key(month text, key_id uuid, master_id text, wrapped bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO client_keys (month, key_id, master_id, wrapped) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING;
$$;
REVOKE ALL ON FUNCTION make_client_key FROM PUBLIC;

-- Receipts are kept for a day; whoever projects also sweeps. At most `most` go at once: how many did.
CREATE FUNCTION prune_receipts(most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM receipts WHERE key = ANY (ARRAY(
            SELECT key FROM receipts WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $1))
        RETURNING 1
    ) SELECT count(*) FROM gone;
$$;
REVOKE ALL ON FUNCTION prune_receipts FROM PUBLIC;

-- The key of a month is destroyed so many days after the month's end; what it sealed can be read no longer.
CREATE FUNCTION expire_client_keys(days integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        UPDATE client_keys SET wrapped = NULL
        WHERE wrapped IS NOT NULL
            AND to_date(month, 'YYYY-MM') + interval '1 month' + make_interval(days => $1) <= clock_timestamp()
        RETURNING 1
    ) SELECT count(*) FROM gone;
$$;
REVOKE ALL ON FUNCTION expire_client_keys FROM PUBLIC;
