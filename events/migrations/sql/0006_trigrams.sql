-- Text is found by its trigrams. A trusted extension: whoever owns the database may make it. It stands where every role
-- looks for operators.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
