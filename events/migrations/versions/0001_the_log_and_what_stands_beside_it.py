"""The log, what stands beside it, and who may touch what."""

from alembic import context, op
from sqlalchemy.util import await_only

from events.migrations.roles import role_names, script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, the append function and the rights."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    names = role_names(context.config.attributes["database"])
    for name in ("0001_tables.sql", "0001_append_events.sql", "0001_rights.sql"):
        await_only(driver.execute(script(name, **names)))
