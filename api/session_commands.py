"""`muster sessions`: ending them."""

from uuid import UUID

import click

from api.acting import Done, Operator, act
from api.arguments import json_option, reason_option

__all__ = ["sessions"]


@click.group()
def sessions() -> None:
    """Look after people's sessions, as administrators do over HTTP.

    The history says of each change that the operator did it, and why, if --reason was given. The environment is that of
    muster api.

    Exit codes: 0 done, or there was nothing to change; 1 something failed; 2 it was refused, or asked wrongly.
    """


@sessions.command()
@click.argument("session", type=click.UUID)
@reason_option
@json_option
def end(session: UUID, reason: str | None, *, json: bool) -> None:
    """End a SESSION, by its id.

    Its refresh token is dead at once, and its access tokens count no longer within a second. Safe to repeat.
    """

    async def asked(operator: Operator) -> Done:
        from commands.end_session import EndSession

        return await operator.ask(EndSession(session, None), session)

    act("muster sessions end", asked, reason, json=json)
