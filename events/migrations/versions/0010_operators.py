"""What operators ask for can be tried out."""

from events.migrations.scripts import run

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let commands learn whether a read model could be built anew."""
    run("0010_operators.sql")
