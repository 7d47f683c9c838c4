"""`muster deliveries`: what is owed to people, what became of it, and sending what was given up."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from api.acting import Operator
from api.arguments import all_option, json_option, limit_option, reason_option
from api.looking import reading, tell, user_of
from api.operating import Progress, as_json, operate
from api.tables import Table
from settings import Settings

if TYPE_CHECKING:
    from queries.deliveries import DeliveryView

__all__ = ["deliveries"]

AT_ONCE: Final = 200
CONNECTIONS: Final = 4


@click.group(invoke_without_command=True)
@click.option("--dead", is_flag=True, help="Only those that were given up.")
@click.option("--reaction", metavar="NAME", help="Only those of this reaction, as in emails.")
@click.option("--user", metavar="USER", help="Only those to this user: an id or an address.")
@limit_option
@all_option
@json_option
@click.pass_context
def deliveries(
    context: click.Context,
    reaction: str | None,
    user: str | None,
    limit: int,
    *,
    dead: bool,
    everything: bool,
    json: bool,
) -> None:
    """List what is owed because of what happened, as mails, and what became of it; or send what was given up.

    Alone, it lists deliveries, of the newest events first. They hold references only, and no texts or addresses.

    Tables are for people, with times in UTC; --json prints what the API would answer, one document a line, for programs.
    The environment is that of muster api; with none at all, the muster up of the folder .muster (or MUSTER_DATA) is meant.

    Exit codes: 0 done, or there was nothing to change; 1 something failed; 2 it was refused, or asked wrongly.
    """
    if context.invoked_subcommand is not None:
        return

    async def work(settings: Settings) -> None:
        from queries.deliveries import deliveries as page_of_deliveries

        subject = None if user is None else await user_of(settings, user)
        async with reading(settings) as connection:

            async def ask(after: Any, limit: int) -> Any:
                return await page_of_deliveries(
                    connection,
                    status="dead" if dead else None,
                    reaction=reaction,
                    subject=subject,
                    after=after,
                    limit=limit,
                )

            table = Table("ID", "POSITION", "WHAT", "USER", "STATUS", "ATTEMPTS", "NEXT (UTC)", "CAUSE")
            await tell(ask, None, None if everything else limit, table, _row, json=json, resumes=False)

    operate("muster deliveries", work)


def _row(delivery: "DeliveryView") -> list[Any]:
    what = f"{delivery.reaction}/{delivery.slot}"
    return [
        delivery.id,
        delivery.position,
        what,
        delivery.subject,
        delivery.status,
        delivery.attempts,
        delivery.next_attempt_at,
        delivery.cause,
    ]


@deliveries.command()
@click.argument("delivery", metavar="ID", type=click.UUID, required=False)
@click.option("--dead", is_flag=True, help="All that were given up.")
@reason_option
@json_option
def redrive(delivery: UUID | None, reason: str | None, *, dead: bool, json: bool) -> None:
    """Attempt a delivery again that was given up, by its ID, or all of them.

    It is attempted at once and as often as a new one. What was not given up stays as it is. Safe to repeat. That it was
    asked for stands in the history of the user to whom it goes.
    """
    if (delivery is None) != dead:
        raise click.UsageError("Name an ID, or say --dead.")

    async def work(settings: Settings) -> str:
        from api.handling import handler_of
        from commands.redrive_delivery import RedriveDelivery

        redriven = 0
        async with handler_of(settings, "muster operator", CONNECTIONS) as (handler, connection):
            operator = Operator(settings, handler, connection, reason)
            async for some in _dead(connection) if delivery is None else _only(delivery):
                done = await asyncio.gather(*(operator.ask(RedriveDelivery(one), one) for one in some))
                redriven += sum(one.changed for one in done)
        return as_json({"redriven": redriven}) if json else f"{redriven:,} will be attempted again."

    operate("muster deliveries redrive", work)


async def _only(delivery: UUID) -> AsyncIterator[list[UUID]]:
    yield [delivery]


async def _dead(connection: Any) -> AsyncIterator[list[UUID]]:
    """All that were given up, the newest first; how far it is is told once a page of them is done."""
    from queries.deliveries import deliveries as page_of_deliveries
    from queries.deliveries import deliveries_left

    after, done, progress = None, 0, Progress("deliveries", (await deliveries_left(connection))["dead"])
    while True:
        page = await page_of_deliveries(connection, status="dead", after=after, limit=AT_ONCE)
        yield [delivery.id for delivery in page.items]
        if (after := page.next) is None:
            return
        done += len(page.items)
        progress.at(done)
