"""`muster users export`: all users as rows that `muster import` takes."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from uuid import UUID

import click

from api.looking import reading
from api.operating import Progress, operate, refuse
from settings import Settings, master_keys

if TYPE_CHECKING:
    from events.data_keys import DataKeys
    from queries.user_exports import ExportedUser

__all__ = ["export_users"]

NAME: Final = "muster users export"
STANDARD_OUTPUT: Final = "-"

Hashes = Callable[[Sequence[UUID]], Awaitable[dict[UUID, str]]]


@click.command("export")
@click.option("--output", default=STANDARD_OUTPUT, metavar="FILE|-", help="Where to; standard output if not given.")
@click.option(
    "--with-password-hashes",
    "hashes",
    is_flag=True,
    help="With the hash of each password. Whoever reads them can try passwords without being noticed.",
)
def export_users(output: str, *, hashes: bool) -> None:
    """Write all users as muster import takes them: a JSON object a line, by their ids.

    It has ids, ids from elsewhere, addresses and whether they are proved, profiles, metadata, roles, who is suspended,
    and when each registered. It has no sessions and no history: what has happened stays in the log, see muster export log.

    All of it is of one moment, the log's end when it begins, and comes from the log itself. FILE has its name only when it
    is whole, and can be read by you alone. Imported into an empty Muster and exported there, it is the same to the byte.
    """
    operate(NAME, lambda settings: _export(settings, output, hashes=hashes))


async def _export(settings: Settings, output: str, *, hashes: bool) -> None:
    from api.export_files import put_in_place, unfinished
    from events.data_keys import DataKeys
    from events.keys import local_keyring

    keys = DataKeys(local_keyring(master_keys(settings)))
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(reading(settings))
        secrets = await stack.enter_async_context(reading(settings, "writer")) if hashes else None
        if output == STANDARD_OUTPUT:
            await _write(connection, keys, _hashes_of(secrets, keys), sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        path = Path(output)
        try:
            file, lies = stack.enter_context(unfinished(path))
        except OSError as error:
            refuse(f"{NAME}: {path} cannot be written: {error.strerror or error}.", 1)
        await _write(connection, keys, _hashes_of(secrets, keys), file)
        put_in_place(file, lies, path)


def _hashes_of(secrets: Any, keys: "DataKeys") -> Hashes:
    """The hashes of users, for those who asked for them: nobody but the writer may read them."""
    from commands.secrets import password_hashes

    async def none(_users: Sequence[UUID]) -> dict[UUID, str]:
        return {}

    return none if secrets is None else lambda users: password_hashes(secrets, keys, users)


async def _write(connection: Any, keys: "DataKeys", hashes: Hashes, file: BinaryIO) -> None:
    from api.export_rows import line_of
    from events.store import head
    from queries.user_exports import about_how_many, exported_users

    total, done = await about_how_many(connection), 0
    progress = Progress("users", total)
    users: list[ExportedUser]
    async for users in exported_users(connection, keys, await head(connection)):
        kept = await hashes([exported.user.id for exported in users])
        file.write(b"".join(line_of(exported, kept.get(exported.user.id)) for exported in users))
        done += len(users)
        if total:
            progress.at(min(done, total))
