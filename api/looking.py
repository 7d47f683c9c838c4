"""Questions that are asked at the console, answered by the view or the log, in pages that are told as they come."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import click

from api.acting import user_named
from api.operating import as_json
from api.tables import Table
from settings import Settings, key_bytes

__all__ = ["caught_up", "reading", "tell", "tell_left_out", "user_of"]

PAGE: Final = 200
PATIENCE_SECONDS: Final = 2.0


@asynccontextmanager
async def reading(settings: Settings, role: str = "reader") -> AsyncIterator[Any]:
    """A connection with the rights of a role."""
    from events.connections import connect
    from events.migrations.roles import role_url

    connection = await connect(role_url(settings.database_url, role, key_bytes(settings.secret)), "muster operator")
    try:
        yield connection
    finally:
        await connection.close()


async def user_of(settings: Settings, text: str) -> UUID:
    """The user of an id, who need not be there, or of an address. Raises `NoSuchUser`, `InvalidAddress`."""
    async with reading(settings, "writer") as claims:  # nobody else may read them
        return await user_named(settings, claims, text)


async def caught_up(
    connection: Any, position: Callable[[], Awaitable[int]], patience: float = PATIENCE_SECONDS
) -> None:
    """Come back when a view shows everything up to now; or, with a word on standard error, when it does not soon."""
    from events.store import head

    end = await head(connection)
    deadline = time.monotonic() + patience
    while (reached := await position()) < end:
        if time.monotonic() > deadline:
            click.echo(
                f"The view shows what was recorded up to position {reached}, not {end}: does a worker run?", err=True
            )
            return
        await asyncio.sleep(0.02)


def tell_left_out(number: int, *views: str) -> None:
    """Say on standard error how many are left out, if any are, because one of these views does not know how they are now."""
    if number:
        of = f" {views[0]}" if len(views) == 1 else ""
        click.echo(
            f"{number} are left out, because {' or '.join(views)} could not take in what happened to them: "
            f"muster projections parked{of} tells why.",
            err=True,
        )


async def tell(
    ask: Callable[[Any, int], Awaitable[Any]],
    after: Any,
    limit: int | None,
    table: Table,
    row: Callable[[Any], Sequence[Any]],
    *,
    json: bool,
    resumes: bool = True,
) -> None:
    """Print what pages of `ask(after, limit)` hold, page by page, and say on standard error when more follows.

    And how to go on there, unless the command has no `--after` and so does not resume.
    """
    left = sys.maxsize if limit is None else limit
    while True:
        page = await ask(after, min(PAGE, left))
        for line in map(as_json, page.items) if json else table.lines(map(row, page.items)):
            click.echo(line)
        after, left = page.next, left - len(page.items)
        if after is None:
            return
        if left <= 0:
            how = f"--after {after} goes on there, and " if resumes else ""
            click.echo(f"More follow: {how}--all shows everything.", err=True)
            return
