"""`muster users`: who there is, and what happened to them."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import click
from msgspec.structs import asdict

from api.api_key_commands import KEYS
from api.arguments import Moment, Term, all_option, json_option, limit_option, user_argument
from api.invitation_commands import INVITATIONS
from api.looking import caught_up, reading, tell, tell_left_out, user_of
from api.operating import as_json, operate
from api.tables import Table, cell
from api.user_changes import CHANGES
from api.user_export_command import export_users
from api.user_facts import FACTS
from commands.roles import ROLES
from settings import Settings, master_keys

if TYPE_CHECKING:
    from queries.history import EventView
    from queries.users import UserView

__all__ = ["users"]

ORDERS: Final = ("created", "-created", "last_seen", "-last_seen", "name", "-name")


@click.group()
def users() -> None:
    """Look at users, and look after them, as administrators do over HTTP.

    USER is a user's id or exactly the address, in capital or small letters. The history says of each change that the
    operator did it, and why, if --reason was given. --dry-run tells what a change would record, and does nothing.

    Tables are for people, with times in UTC; --json prints what the API would answer, one document a line, for programs.
    The environment is that of muster api; with none at all, the muster up of the folder .muster (or MUSTER_DATA) is meant.

    Exit codes: 0 done, or there was nothing to change; 1 something failed; 2 it was refused, or asked wrongly.
    """


for change in (*CHANGES, *INVITATIONS, *FACTS, *KEYS, export_users):
    users.add_command(change)


@users.command("list")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["active", "locked", "suspended", "unverified"]),
    help="Only users of this status, or of any of several.",
)
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(sorted(ROLES)), help="Only users with any of these roles."
)
@click.option("--verified/--unverified", default=None, help="Only users whose address is proved, or is not.")
@click.option("--created-from", type=Moment(), metavar="TIME", help="Only users who registered then or later.")
@click.option("--created-to", type=Moment(), metavar="TIME", help="Only users who registered before.")
@click.option("--seen-from", type=Moment(), metavar="TIME", help="Only users who were seen last then or later.")
@click.option("--seen-to", type=Moment(), metavar="TIME", help="Only users who were seen last before.")
@click.option("--search", type=Term(), metavar="TEXT", help="Only users with this in their name or address.")
@click.option("--sort", type=click.Choice(ORDERS), default="-created", show_default=True, help="In which order.")
@click.option("--count", is_flag=True, help="Tell on standard error how many there are in all.")
@limit_option
@all_option
@click.option("--after", type=click.UUID, metavar="ID", help="Those who stand after this user in the list.")
@json_option
def list_users(
    statuses: tuple[str, ...],
    roles: tuple[str, ...],
    sort: str,
    limit: int,
    after: UUID | None,
    *,
    count: bool,
    everything: bool,
    json: bool,
    **filters: Any,
) -> None:
    """List users, the newest registrations first, or those for whom every filter holds.

    A TIME has its zone, as 2026-03-01T12:00:00Z. What was recorded before is shown, unless no worker runs: then standard
    error tells how far the view has come. Users to whom something happened that the view could not take in are left out:
    standard error tells how many.
    """

    async def work(settings: Settings) -> None:
        from commands.errors import NoSuchUser
        from queries.user_filters import UserFilters
        from queries.user_lists import place_of, takes_names
        from queries.user_lists import users as page_of_users

        wanted = UserFilters(frozenset(statuses), frozenset(roles), **filters)
        views = ("users", "user_names") if takes_names(wanted, sort) else ("users",)
        left_out = 0
        async with reading(settings) as connection:

            async def position() -> int:
                return (await page_of_users(connection, wanted, sort=sort, limit=1)).position

            async def ask(after: UUID | None, limit: int) -> Any:
                nonlocal left_out
                place = None if after is None else await place_of(connection, after, sort)
                if place is None and after is not None:
                    raise NoSuchUser
                page = await page_of_users(connection, wanted, sort=sort, after=place, limit=limit)
                left_out = page.left_out
                return Page(page.items, None if page.next is None else page.next.id)

            await caught_up(connection, position)
            if count:
                counted = await page_of_users(connection, wanted, sort=sort, limit=1, count=True)
                click.echo(f"{counted.count} in all.", err=True)
            table = Table("ID", "ADDRESS", "NAME", "STATUS", "ROLES", "REGISTERED (UTC)", "LAST SEEN (UTC)")
            await tell(ask, after, None if everything else limit, table, _row, json=json)
        tell_left_out(left_out, *views)

    operate("muster users list", work)


class Page(NamedTuple):
    """Users, and the one after whom to go on."""

    items: "list[UserView]"
    next: UUID | None


def _row(user: "UserView") -> list[Any]:
    seen = user.last_seen_at
    return [user.id, user.email, user.display_name, user.status, user.roles, user.registered_at, seen]


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
    if by is not None and by.user_id is not None:
        who = f"{who} of {by.user_id}"
    why = event.reason if isinstance(event.reason, str | None) else "(forgotten)"
    facts = [
        f"{name}: {'(forgotten)' if value == {'forgotten': True} else cell(value)}"
        for name, value in event.data.items()
    ]
    if event.stream_type == "session":
        facts.insert(0, f"session: {event.stream}")
    elif event.stream_type == "api_key":
        facts.insert(0, f"key: {event.stream}")
    return [event.position, event.recorded_at, event.type, who, why, ", ".join(facts)]
