"""An operator at the console, beside a site that goes on meanwhile."""

import asyncio
import json
from typing import Any

from click.testing import CliRunner, Result

from api.cli import main
from tests.api.site import Site, environment_for

__all__ = ["history", "muster", "ran", "refused", "told"]


async def ran(environment: dict[str, str], *arguments: str, given: str | bytes = "") -> Result:
    """What became of a command, run in a thread of its own while everything goes on; raises what it does not tell."""
    return await asyncio.to_thread(
        CliRunner().invoke,
        main,
        arguments,
        env=environment,
        input=given,
        prog_name="muster",
        catch_exceptions=False,
    )


async def muster(site: Site, *arguments: str, given: str = "") -> Result:
    """What became of a command of the site's operator."""
    return await ran(environment_for(site.database), *arguments, given=given)


async def told(site: Site, *arguments: str, given: str = "") -> list[Any]:
    """What a command that was done tells programs."""
    done = await muster(site, *arguments, "--json", given=given)
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def refused(site: Site, *arguments: str, given: str = "") -> str:
    """Why a command was refused."""
    head = await site.head()
    done = await muster(site, *arguments, given=given)
    assert (done.exit_code, done.stdout) == (2, "")
    assert await site.head() == head
    return done.stderr


async def history(site: Site, user_id: str) -> list[Any]:
    """What happened to someone, as the API tells it."""
    answer = await site.get(f"/v1/users/{user_id}/history?limit=200", site.administrator)
    items: list[Any] = answer.json()["items"]
    return items
