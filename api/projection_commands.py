"""`muster projections`: how views and reactions do, and what becomes of events that a view could not take."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from api.acting import Done, Operator, asks
from api.arguments import Text, all_option, dry_run_option, json_option, limit_option
from api.looking import reading, tell
from api.operating import as_json, operate
from api.rebuild_commands import COMMANDS, in_words
from api.tables import Table
from settings import Settings

if TYPE_CHECKING:
    from queries.parked_events import ParkedEventView
    from queries.projections import Projection

__all__ = ["projections"]


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def projections(context: click.Context, *, json: bool) -> None:
    """Look at views and reactions, build views anew, verify them, and decide on what one could not take.

    Alone, it tells of each partition how far it is, how far behind the log and since when, how many events a second it
    took lately, how many are parked, and which worker holds it; which table serves a view and which is kept; and what
    became of each view's last rebuild, or how far it is.

    NAME is that of a view without its version, as in users. Tables are for people, with times in UTC; --json prints
    what the API would answer, one document a line, for programs. The environment is that of muster api; with none at
    all, the muster up of the folder .muster (or MUSTER_DATA) is meant.

    Exit codes: 0 done, or there was nothing to change; 1 something failed; 2 it was refused, or asked wrongly.
    """
    if context.invoked_subcommand is None:
        operate("muster projections", lambda settings: _status(settings, json=json))


async def _status(settings: Settings, *, json: bool) -> None:
    from queries.projections import projections as all_projections

    async with reading(settings) as connection:
        found = await all_projections(connection)
    table = Table(
        "NAME",
        "TABLE",
        "STATE",
        "PARTITION",
        "POSITION",
        "BEHIND",
        "FOR (S)",
        "RATE (/S)",
        "PARKED",
        "MOVED (UTC)",
        "HELD BY",
    )
    rows = [row for item in found.items for row in _rows(item)]
    for line in map(as_json, [*found.items, *found.rebuilds]) if json else table.lines(rows):
        click.echo(line)
    for rebuild in [] if json else found.rebuilds:
        click.echo(in_words(rebuild))


def _rows(item: "Projection") -> list[list[Any]]:
    return [
        [
            item.name,
            item.table,
            item.state,
            part.partition,
            part.position,
            part.behind,
            part.behind_seconds,
            part.rate,
            part.parked,
            part.moved_at,
            part.held_by,
        ]
        for part in item.partitions
    ]


@projections.command()
@click.argument("name", required=False)
@limit_option
@all_option
@json_option
def parked(name: str | None, limit: int, *, everything: bool, json: bool) -> None:
    """List the events that the view NAME, or any, could not take, and why.

    The first of a user is what hinders; the later ones wait for it. A newer version of Muster may be able to take it,
    and does so when it comes.
    """

    async def work(settings: Settings) -> None:
        from queries.parked_events import parked_events

        async with reading(settings) as connection:

            async def ask(after: Any, limit: int) -> Any:
                return await parked_events(connection, name, after=after, limit=limit)

            table = Table("POSITION", "TABLE", "USER", "EVENT", "RECORDED (UTC)", "PARKED (UTC)", "CAUSE")
            await tell(ask, None, None if everything else limit, table, _line, json=json, resumes=False)

    operate("muster projections parked", work)


def _line(event: "ParkedEventView") -> list[Any]:
    return [event.position, event.table, event.key, event.type, event.recorded_at, event.parked_at, event.cause]


@projections.command()
@click.argument("name")
@click.argument("key", metavar="USER", required=False)
@click.option("--all", "everyone", is_flag=True, help="Those of every user.")
@asks
async def retry(operator: Operator, name: str, key: str | None, *, everyone: bool) -> Done:
    """Have the view NAME try again what it could not take of USER.

    USER is an id or exactly the address. Whichever worker holds the partition does it at once. What is still refused
    stays parked. Safe to repeat.
    """
    from commands.retry_parked_events import RetryParkedEvents
    from events.projection import stream_id

    if (key is None) != everyone:
        raise click.UsageError("Name a USER, or say --all.")
    user_id: UUID | None = None if key is None else await operator.user(key)
    return await operator.ask(RetryParkedEvents(name, user_id), stream_id(name))


@projections.command()
@click.argument("name")
@click.argument("position", type=click.IntRange(1, 2**63 - 1))
@click.option(
    "--reason",
    type=Text("Reason"),
    metavar="TEXT",
    required=True,
    help="Why, for the history; sealed, like all that is.",
)
@dry_run_option
@json_option
def discard(**given: Any) -> None:
    """Have the view NAME do without the event at POSITION.

    It passes it over, now and whenever it is built again, and goes on with what happened to the user later. The log
    keeps the event. Safe to repeat.
    """
    _discard(**given)


async def _ask_discard(operator: Operator, name: str, position: int) -> Done:
    from commands.discard_parked_event import DiscardParkedEvent
    from events.projection import stream_id

    return await operator.ask(DiscardParkedEvent(name, position), stream_id(name))


_discard = asks(_ask_discard)

for _command in COMMANDS:
    projections.add_command(_command)
