"""`muster erase`: forgetting someone, and seeing that nothing is left of them."""

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import Struct

from api.arguments import json_option, reason_option, user_argument
from api.datafolder import ENVIRONMENT
from api.looking import caught_up, reading, user_of
from api.operating import as_json, operate
from api.tables import Table
from settings import Settings, key_bytes, master_keys

if TYPE_CHECKING:
    from uuid import UUID

    from api.scanning import Place
    from api.traces import Traces

__all__ = ["erase"]

PATIENCE_SECONDS: Final = 30.0
FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@user_argument
@click.option(
    "--verify", is_flag=True, help="Look everywhere afterwards, and prove that nothing of the person is left."
)
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.option("--logs", multiple=True, type=FOLDER, help="Also look through the files in this folder; may be repeated.")
@click.option("--mail", type=FOLDER, help="A Maildir that keeps mail, as that of muster up; mail to them is deleted.")
@reason_option
@json_option
def erase(
    user: str,
    logs: tuple[Path, ...],
    mail: Path | None,
    reason: str | None,
    *,
    verify: bool,
    yes: bool,
    json: bool,
) -> None:
    """Erase a user at once and for good: what is personal about them can be read by nobody any more.

    USER is an id, or exactly the address. The key under which everything personal was sealed is destroyed; secrets,
    sessions, claims and rows of views go with it. The log keeps its events and their order, and reads as forgotten where
    something personal stood. With muster up, mail to them that it kept is deleted as well.

    --verify reads what is known of the person before, and looks for it afterwards in every table, in Redis, in the logs
    and the mail folder of muster up or of --logs and --mail. Addresses are looked for everywhere, names and notes in what
    is about the person. It needs MUSTER_DATABASE_URL as the database's owner. For somebody who was erased before it can
    only see that key, secrets, receipts, claims and rows are gone: nobody knows any longer what to look for.

    What remains for its time: backups, and whence commands came (address and user agent), which is sealed under a key of
    its month and not of a person, and is destroyed with that (MUSTER_CLIENT_RETENTION_DAYS).

    Exit codes: 0 erased, and nothing was found; 1 something failed or was found; 2 refused, or asked wrongly.
    """
    asked = _Asked(user, logs, mail, reason, verify, yes, json)
    operate("muster erase", lambda settings: _erase(settings, asked))


class _Asked(Struct, frozen=True):
    user: str
    logs: tuple[Path, ...]
    mail: Path | None
    reason: str | None
    verify: bool
    yes: bool
    json: bool


async def _erase(settings: Settings, asked: _Asked) -> None:
    from api.acting import Operator
    from api.handling import handler_of
    from api.kept_mail import take_away
    from commands.erase_user import EraseUser

    user_id = await user_of(settings, asked.user)
    folder = _own_folder(settings)
    async with handler_of(settings, "muster erase") as (handler, log):
        traces = await _traces(settings, log, user_id)
        if not asked.yes:
            click.confirm(f"Erase {asked.user} for good?", abort=True, err=True)
        done = await Operator(settings, handler, log, asked.reason).ask(EraseUser(user_id), user_id)
        click.echo(as_json(done) if asked.json else done.in_words())
    async with reading(settings) as mails:
        rows = await mails.fetch("SELECT id FROM deliveries WHERE subject_id = $1", user_id)
    sent = {str(row["id"]) for row in rows}
    for mail in {asked.mail, folder / "mail" if folder else None} - {None}:
        assert mail is not None
        taken = take_away(mail, sent, {trace for trace in traces.own if "@" in trace})
        click.echo(f"{taken:,} mails to them were deleted in {mail}.", err=True)
    if asked.verify:
        await _verify(settings, asked, user_id, traces, folder)


async def _traces(settings: Settings, log: Any, user_id: "UUID") -> "Traces":
    from api.traces import Traces, traces_of
    from events.data_keys import DataKeys
    from events.keys import local_keyring
    from events.store import read_log

    keys = DataKeys(local_keyring(master_keys(settings)))
    traces, after = Traces(), 0
    while history := await read_log(log, keys, after=after, limit=1000, subject_id=user_id):
        more = traces_of(history, keys.fetched(user_id))
        traces = Traces(traces.own | more.own, traces.shared | more.shared)
        after = history[-1].position
    return Traces(traces.own, traces.shared - traces.own)


def _own_folder(settings: Settings) -> Path | None:
    """The folder of the `muster up` whose database this is, if there is one here."""
    folder = Path(settings.data)
    try:
        kept = jsons.loads((folder / ENVIRONMENT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return folder if kept.get("MUSTER_DATABASE_URL") == settings.database_url else None


async def _forget_where_nobody_projects(settings: Settings) -> None:
    """At once, instead of when the workers come to it."""
    from events.connections import open_pool
    from events.migrations.roles import role_url
    from projections.forgetting import forget_everywhere
    from projections.models import MODELS

    pool = await open_pool(role_url(settings.database_url, "projector", key_bytes(settings.secret)), "muster erase", 2)
    try:
        await forget_everywhere(pool, MODELS)
    finally:
        await pool.close()


async def _verify(settings: Settings, asked: _Asked, user_id: "UUID", traces: "Traces", folder: Path | None) -> None:
    """Look everywhere, tell each place as it was seen, and end with 1 where something was found."""
    from redis import RedisError

    from api.scanning import Place, scan_database, scan_files, scan_redis, what_stands
    from events.connections import connect
    from projections.concerns import REACTIONS
    from projections.models import MODELS
    from projections.tables import tables_of

    places: list[Place] = []

    def tell(place: "Place") -> None:
        places.append(place)
        if asked.json:
            click.echo(as_json(place))

    connection = await connect(settings.database_url, "muster erase")
    try:

        async def projected() -> int:
            consumers = [table for model in MODELS for table in await tables_of(connection, model)]
            consumers += [reaction.name for reaction in REACTIONS]
            return int(
                await connection.fetchval(
                    "SELECT coalesce(min(position), 0) FROM checkpoints WHERE consumer = ANY($1)", consumers
                )
            )

        await caught_up(connection, projected, PATIENCE_SECONDS)
        await _forget_where_nobody_projects(settings)
        for place in await what_stands(connection, user_id):
            tell(place)
        if traces.own or traces.shared:
            async for place in scan_database(connection, user_id, traces):
                click.echo(f"{place.where}: {place.looked_at:,} {place.unit}", err=True)
                tell(place)
    finally:
        await connection.close()
    if traces.own:
        try:
            tell(await scan_redis(settings.redis_url, traces))
        except (OSError, RedisError) as error:
            click.echo(f"Redis cannot be looked through: {error}", err=True)
            tell(Place("Redis, which does not answer", 0, "keys", 1))
        folders = {"kept mail": folder / "mail", "logs": folder / "logs"} if folder else {}
        folders |= {f"{logs}": logs for logs in asked.logs} | ({f"{asked.mail}": asked.mail} if asked.mail else {})
        for where, path in folders.items():
            tell(scan_files(where, path, traces))
    else:
        click.echo(
            "They were erased before: what is known is that nothing of theirs stands, not what to look for.", err=True
        )
    if not asked.json:
        table = Table("WHERE", "LOOKED AT", "FOUND")
        for line in table.lines((one.where, f"{one.looked_at:,} {one.unit}", f"{one.found:,}") for one in places):
            click.echo(line)
    if any(place.found for place in places):
        raise click.ClickException("Something of the person is left; see FOUND above.")
    click.echo(f"Nothing of {user_id} is left in {len(places)} places.", err=True)
