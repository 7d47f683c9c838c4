"""The log, what stands beside it, and who may touch what."""

from events.migrations.scripts import run

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, the append function and the rights."""
    run("0001_tables.sql", "0001_append_events.sql", "0001_rights.sql")
