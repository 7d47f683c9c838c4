"""Parked events are decided on, checkpoints tell how fast they move, and deliveries are listed and redriven."""

from events.migrations.scripts import run

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give checkpoints their counts, and those who operate what they need."""
    run("0005_operations.sql")
