"""Alembic, for the durable tables only: read models are rebuilt, never migrated."""
