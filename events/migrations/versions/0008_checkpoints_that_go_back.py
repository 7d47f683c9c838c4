"""Checkpoints that go back tell how far."""

from events.migrations.scripts import run

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give checkpoints the position up to which events are applied once more."""
    run("0008_replayed_to.sql")
