"""`muster analytics`: what analysts connect with."""

import click

from api.operating import operate
from settings import Settings, key_bytes

__all__ = ["analytics"]


@click.group()
def analytics() -> None:
    """Let analysts in who ask in SQL."""


@analytics.command()
@click.option("--personal", is_flag=True, help="For those who may see addresses, names and profiles.")
def url(*, personal: bool) -> None:
    """Print the database's URL with the role and the password of analysts.

    \b
    psql "$(muster analytics url)"

    The role reads the views of the schema analytics, and nothing else. With --personal it is another one, which sees
    what is personal, too. Both passwords change with MUSTER_SECRET. The URL is a secret: hand it on with care.
    """

    async def work(settings: Settings) -> str:
        from events.migrations.roles import role_url

        role = "analyst_personal" if personal else "analyst"
        return role_url(settings.database_url, role, key_bytes(settings.secret))

    operate("muster analytics url", work)
