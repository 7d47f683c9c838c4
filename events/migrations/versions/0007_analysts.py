"""Analysts have a schema of their own, and sign-ins are counted by day."""

from events.migrations.scripts import run

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the schema, what it is published by, and the counts."""
    run("0007_analysts.sql")
