"""Failed sign-ins are counted, and regular work has its times."""

from events.migrations.scripts import run

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the functions on them."""
    run("0002_attempts.sql")
