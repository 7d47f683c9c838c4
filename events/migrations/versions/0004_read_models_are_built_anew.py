"""Read models are built anew beside those that serve."""

from events.migrations.scripts import run

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a table answer for each read model, and tell of rebuilds."""
    run("0004_read_models.sql")
