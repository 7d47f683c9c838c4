-- Each process reaches the database with the rights that it needs and no more. {writer}, {reader} and {projector}
-- stand for the roles' names, which carry the database's name because roles belong to the whole cluster.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {writer}, {reader}, {projector};
GRANT USAGE ON SCHEMA views TO {writer}, {reader}, {projector};
GRANT CREATE ON SCHEMA views TO {projector};

GRANT SELECT ON stored_events, data_keys, client_keys, claims, secrets, receipts, signing_keys TO {writer};
GRANT EXECUTE ON FUNCTION append_events, make_client_key TO {writer};

GRANT SELECT ON stored_events, data_keys, client_keys, checkpoints, parked_events, deliveries TO {reader};

GRANT SELECT ON stored_events, data_keys TO {projector};
GRANT SELECT, INSERT, UPDATE, DELETE ON checkpoints, parked_events, deliveries TO {projector};
GRANT EXECUTE ON FUNCTION prune_receipts, expire_client_keys TO {projector};
