-- Whether workers could be asked to build a table anew, null for no such read model: what ask_rebuild would answer. It asks nothing.
CREATE FUNCTION may_rebuild(name text, version integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT NOT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted
            AND classid = x'72656275'::integer::oid AND objid = hashtext($1 || '_v' || $2)::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AND NOT EXISTS (
        SELECT FROM rebuilds r WHERE r.name = $1 AND r.version = $2 AND r.by_workers AND r.state NOT IN ('done', 'stopped')
    )
    FROM read_models m WHERE m.name = $1 AND m.version = $2;
$$;
REVOKE ALL ON FUNCTION may_rebuild FROM PUBLIC;
GRANT EXECUTE ON FUNCTION may_rebuild TO {writer};
