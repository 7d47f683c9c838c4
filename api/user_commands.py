"""`muster users`: who there is, and what happened to them."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
from msgspec.structs import asdict

from api.arguments import all_option, json_option, limit_option, user_argument
from api.looking import caught_up, reading, tell, user_of
from api.operating import as_json, operate
from api.tables import Table, cell
from api.user_changes import CHANGES
from api.user_facts import FACTS
from settings import Settings, master_keys

if TYPE_CHECKING:
    from queries.history import EventView
    from queries.users import UserView

__all__ = ["users"]


@click.group()
def users() -> None:
    """Look at users, and look after them, as administrators do over HTTP.

    USER is a user's id or exactly the address, in capital or small letters. The history says of each change that the
    operator did it, and why, if --reason was given.

    Tables are for people, with times in UTC; --json prints what the API would answer, one document a line, for programs.
    The environment is that of muster api; with none at all, the muster up of the folder .muster (or MUSTER_DATA) is meant.

    Exit codes: 0 done, or there was nothing to change; 1 something failed; 2 it was refused, or asked wrongly.
    """


for change in (*CHANGES, *FACTS):
    users.add_command(change)


@users.command("list")
@limit_option
@all_option
@click.option("--after", type=click.UUID, metavar="ID", help="Those who stand after this user in the list.")
@json_option
def list_users(limit: int, after: UUID | None, *, everything: bool, json: bool) -> None:
    """List users, the newest registrations first.

    What was recorded before is shown, unless no worker runs: then standard error tells how far the view has come.
    """

    async def work(settings: Settings) -> None:
        from queries.users import users as page_of_users

        async with reading(settings) as connection:

            async def position() -> int:
                return (await page_of_users(connection, limit=1)).position

            async def ask(after: UUID | None, limit: int) -> Any:
                return await page_of_users(connection, after=after, limit=limit)

            await caught_up(connection, position)
            table = Table("ID", "ADDRESS", "NAME", "STATUS", "ROLES", "REGISTERED (UTC)")
            await tell(ask, after, None if everything else limit, table, _row, json=json)

    operate("muster users list", work)


def _row(user: "UserView") -> list[Any]:
    return [user.id, user.email, user.display_name, user.status, user.roles, user.registered_at]


@users.command()
@user_argument
@json_option
def show(user: str, *, json: bool) -> None:
    """Show what is known of USER."""

    async def work(settings: Settings) -> str:
        from commands.errors import NoSuchUser
        from queries.users import user_by_id

        user_id = await user_of(settings, user)
        async with reading(settings) as connection:

            async def position() -> int:
                return (await user_by_id(connection, user_id))[1]

            await caught_up(connection, position)
            view, _ = await user_by_id(connection, user_id)
        if view is None:
            raise NoSuchUser
        return as_json(view) if json else "\n".join(_card(view))

    operate("muster users show", work)


def _card(view: "UserView") -> list[str]:
    facts = {
        name.replace("_", " ") + (" (UTC)" if isinstance(value, datetime) else ""): cell(value)
        for name, value in asdict(view).items()
    }
    width = max(map(len, facts))
    return [f"{name:<{width}}  {value}" for name, value in facts.items()]


@users.command()
@user_argument
@limit_option
@all_option
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="POSITION", help="What happened later.")
@json_option
def history(user: str, limit: int, after: int, *, everything: bool, json: bool) -> None:
    """Tell what happened to USER, when, by whom and why.

    It is told in the order in which it happened. Sessions and roles are included. It comes from the log itself, so nothing is newer. What was forgotten is told as
    such.
    """

    async def work(settings: Settings) -> None:
        from commands.errors import NoSuchUser
        from events.data_keys import DataKeys
        from events.keys import local_keyring
        from queries.history import history_of_user

        user_id = await user_of(settings, user)
        keys = DataKeys(local_keyring(master_keys(settings)))
        async with reading(settings) as connection:

            async def ask(after: int, limit: int) -> Any:
                page = await history_of_user(connection, keys, user_id, after=after, limit=limit)
                if not page.items and after == 0:
                    raise NoSuchUser
                return page

            table = Table("POSITION", "AT (UTC)", "EVENT", "BY", "WHY", "WHAT")
            await tell(ask, after, None if everything else limit, table, _line, json=json)

    operate("muster users history", work)


def _line(event: "EventView") -> list[Any]:
    by = event.actor
    who = " ".join(str(part) for part in (by.type, by.id, by.name) if part is not None) if by else None
    why = event.reason if isinstance(event.reason, str | None) else "(forgotten)"
    facts = [
        f"{name}: {'(forgotten)' if value == {'forgotten': True} else cell(value)}"
        for name, value in event.data.items()
    ]
    if event.stream_type == "session":
        facts.insert(0, f"session: {event.stream}")
    return [event.position, event.recorded_at, event.type, who, why, ", ".join(facts)]
