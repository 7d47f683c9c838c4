-- When a consumer is divided anew, its partitions begin at the least position of any before. Up to this one, the furthest of
-- any, a key may have seen what comes, and is asked.
ALTER TABLE checkpoints ADD COLUMN replayed_to bigint NOT NULL DEFAULT 0;
