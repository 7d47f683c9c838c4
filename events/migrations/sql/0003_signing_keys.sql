-- A key that signs access tokens is announced, signs from a time on, and is retired: then its private half is gone, and it
-- verifies what it signed until that has expired, unless it was revoked. The one that began last signs.
ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz, ADD COLUMN revoked_at timestamptz,
    ALTER COLUMN wrapped DROP NOT NULL;
UPDATE signing_keys SET signs_from = made_at, wrapped = CASE WHEN retired_at IS NULL THEN wrapped END;
ALTER TABLE signing_keys ADD CHECK (retired_at IS NULL OR wrapped IS NULL);
