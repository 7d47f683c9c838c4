"""Names and addresses are found by what stands anywhere in them."""

from events.migrations.scripts import run

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the extension that indexes trigrams."""
    run("0006_trigrams.sql")
