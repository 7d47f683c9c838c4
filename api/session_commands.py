"""`muster sessions`: who is signed in where, and ending it."""

from datetime import UTC, datetime
from uuid import UUID

import click
from msgspec.structs import asdict, astuple

from api.acting import Done, Operator, asks
from api.arguments import json_option, user_argument
from api.looking import reading, user_of
from api.operating import as_json, operate
from api.tables import Table
from settings import Settings, master_keys

__all__ = ["sessions"]


@click.group()
def sessions() -> None:
    """Look at people's sessions, and end them, as administrators do over HTTP.

    USER is a user's id or exactly the address, in capital or small letters. The history says of each change that the
    operator did it, and why, if --reason was given.

    Tables are for people, with times in UTC; --json prints what the API would answer, one document a line, for programs.
    The environment is that of muster api; with none at all, the muster up of the folder .muster (or MUSTER_DATA) is meant.

    Exit codes: 0 done, or there was nothing to change; 1 something failed; 2 it was refused, or asked wrongly.
    """


@sessions.command("list")
@user_argument
@json_option
def list_sessions(user: str, *, json: bool) -> None:
    """List the sessions of USER that live, the newest first.

    A session was last seen when it was last refreshed; it is over when it was not refreshed until it expires.
    """

    async def work(settings: Settings) -> None:
        from commands.living_sessions import living_sessions
        from events.data_keys import DataKeys
        from events.keys import local_keyring

        keys = DataKeys(local_keyring(master_keys(settings)))
        user_id = await user_of(settings, user)
        async with reading(settings, "writer") as connection:  # nobody else may read what is kept of sessions
            _, living = await living_sessions(connection, keys, user_id, datetime.now(UTC))
        table = Table("ID", "STARTED (UTC)", "SEEN (UTC)", "EXPIRES (UTC)", "ADDRESS", "USER AGENT")
        # Whoever asks at the console asks in no session: the current one is none of them.
        answered = [as_json(asdict(session) | {"current": False}) for session in living]
        for line in answered if json else table.lines(map(astuple, living)):
            click.echo(line)

    operate("muster sessions list", work)


@sessions.command()
@click.argument("session", type=click.UUID)
@asks
async def end(operator: Operator, session: UUID) -> Done:
    """End a SESSION, by its id.

    Its refresh token is dead at once, and its access tokens count no longer within a second. Safe to repeat.
    """
    from commands.end_session import EndSession

    return await operator.ask(EndSession(session, None), session)


@sessions.command()
@user_argument
@asks
async def end_all(operator: Operator, user: str) -> Done:
    """End every session of USER.

    They can sign in again; muster users suspend shuts them out. Safe to repeat.
    """
    from commands.end_all_sessions import EndAllSessions

    user_id = await operator.user(user)
    return await operator.ask(EndAllSessions(user_id), user_id)
