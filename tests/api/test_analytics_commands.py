"""`muster analytics`, as an operator runs it."""

import pytest

from events.connections import connect
from tests.api.console import muster
from tests.api.site import Site


@pytest.mark.parametrize(("options", "role"), [((), "analyst"), (("--personal",), "analyst_personal")])
async def test_prints_what_analysts_connect_with(site: Site, options: tuple[str, ...], role: str):
    printed = await muster(site, "analytics", "url", *options)
    assert (printed.exit_code, printed.stderr) == (0, "")
    connection = await connect(printed.stdout.strip(), "analyst")
    name = site.database.name
    assert await connection.fetchval("SELECT current_user") == f"{name}_{role}"
    await connection.close()
