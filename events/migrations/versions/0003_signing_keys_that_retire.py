"""Keys that sign access tokens are announced, retired and revoked."""

from events.migrations.scripts import run

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give the keys their times, and let the private half of a retired one go."""
    run("0003_signing_keys.sql")
