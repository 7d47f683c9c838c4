"""The log has an epoch, which another one follows when it is restored."""

from events.migrations.scripts import run

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begin the first epoch."""
    run("0009_epochs.sql")
