"""Runs the SQL files of a revision."""

from alembic import context, op
from sqlalchemy.util import await_only

from events.migrations.roles import role_names, script

__all__ = ["run"]


def run(*names: str) -> None:
    """Execute these files of `sql/`, each as a whole, with the roles' names put in, in the revision's transaction."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    roles = role_names(context.config.attributes["database"])
    for name in names:
        await_only(driver.execute(script(name, **roles)))
