"""`muster backup`: the log and what stands beside it in one file, the keys of what is personal in another."""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import click
from msgspec import Struct

from api.arguments import json_option
from api.operating import as_json, operate, refuse
from settings import Settings

__all__ = ["backup"]

NAME: Final = "muster backup"
LOG, KEYS = "log", "keys"
SUFFIX: Final = {LOG: ".dump", KEYS: ".ndjson"}
WHEN: Final = "%Y%m%dT%H%M%S%fZ"
LOOKS_EVERY_SECONDS: Final = 1.0
FOLDER: Final = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--keys", "keys", type=FOLDER, required=True, help="Where the keys go: another place than FOLDER.")
@click.option(
    "--only-keys", is_flag=True, help="Leave the log out: as often as an erasure must not be lost, every hour say."
)
@click.option("--keep-days", type=click.IntRange(1), help="Delete backups of the log from before; the newest stays.")
@click.option(
    "--keep-keys-days", type=click.IntRange(1), help="Delete backups of the keys from before; the newest stays."
)
@click.option("--programs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Where pg_dump stands.")
@json_option
def backup(
    folder: Path,
    keys: Path,
    keep_days: int | None,
    keep_keys_days: int | None,
    programs: Path | None,
    *,
    only_keys: bool,
    json: bool,
) -> None:
    """Back up the log into FOLDER with pg_dump, and the keys of what is personal apart, while everything goes on.

    The file of the log (custom format of pg_dump) holds everything but views, which are built again, and keys: by itself
    it tells nothing personal. The file of the keys is small, and wrapped under the master key, which is in neither. Keep it
    elsewhere, make it more often, and keep it for a shorter time: whoever is erased can be read from a backup of the log
    for as long as there is a backup of the keys from before.

    pg_dump must not be older than the server: without --programs, it is looked for in the wheel that muster up uses and on
    the path, and the one is taken that is the least newer. It needs MUSTER_DATABASE_URL as the database's owner. A file has its name only when it is whole. How to
    restore is told in the documentation, under Operations; muster keys reconcile is a part of it.

    Exit codes: 0 done; 1 something failed, and nothing has the name of a backup; 2 it was asked wrongly.
    """
    if folder.resolve() == keys.resolve():
        refuse(f"{NAME}: keys have to lie in another folder than the log, or they are no protection.")
    asked = _Asked(folder, keys, keep_days, keep_keys_days, programs, only_keys)

    async def work(settings: Settings) -> str:
        made = await _made(settings, asked)
        return "\n".join(as_json(one) if json else f"{one.file}: {one.bytes:,} bytes" for one in made)

    operate(NAME, work)


class _Asked(Struct, frozen=True):
    folder: Path
    keys: Path
    keep_days: int | None
    keep_keys_days: int | None
    programs: Path | None
    only_keys: bool


class BackupFile(Struct, frozen=True):
    """A file that was made, what it holds (`log` or `keys`), and its size."""

    file: str
    holds: str
    bytes: int


async def _made(settings: Settings, asked: _Asked) -> list[BackupFile]:
    """The log first, so that no key of it is missing in the other; a key that is newer than the log is nobody's."""
    at = datetime.now(UTC)
    made = []
    if not asked.only_keys:
        made.append(await _log(settings, _named(asked.folder, LOG, at), asked.programs))
    made.append(await _keys(settings, _named(asked.keys, KEYS, at)))
    for folder, holds, days in ((asked.folder, LOG, asked.keep_days), (asked.keys, KEYS, asked.keep_keys_days)):
        if days is not None and not (asked.only_keys and holds == LOG):
            for old in _old(folder, holds, at - timedelta(days=days)):
                old.unlink(missing_ok=True)
                click.echo(f"{old} was deleted.", err=True)
    return made


def _named(folder: Path, holds: str, at: datetime) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"muster-{holds}-{at.strftime(WHEN)}{SUFFIX[holds]}"


def _old(folder: Path, holds: str, before: datetime) -> Iterator[Path]:
    """Backups of ours from before a moment, by their names; never the newest."""
    prefix = f"muster-{holds}-"
    files = sorted(folder.glob(f"{prefix}*{SUFFIX[holds]}"))
    for file in files[:-1]:
        try:
            made = datetime.strptime(file.name.removeprefix(prefix).removesuffix(SUFFIX[holds]), WHEN).replace(
                tzinfo=UTC
            )
        except ValueError:  # somebody else's
            continue
        if made < before:
            yield file


async def _log(settings: Settings, file: Path, programs: Path | None) -> BackupFile:
    from api.export_files import put_in_place, unfinished
    from api.own_servers import shown
    from events.connections import connect
    from events.key_backups import APART

    connection = await connect(settings.database_url, NAME)
    server = connection.get_server_version().major
    await connection.close()
    program = await asyncio.to_thread(_pg_dump, programs, server)
    with unfinished(file) as (whole, lies):
        dump = [program, "--format=custom", "--no-password", f"--file={lies}"]
        dump += ["--exclude-table=views.*", "--exclude-table=analytics.*"]
        dump += [f"--exclude-table-data=public.{table}" for table in APART]
        # Arguments can be seen by everyone on the machine: the password is none.
        process = await asyncio.create_subprocess_exec(
            *dump,
            f"--dbname={shown(settings.database_url)}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PGPASSWORD": unquote(urlsplit(settings.database_url).password or "")},
        )
        saying = asyncio.create_task(_telling(lies))
        try:
            _, said = await process.communicate()
        finally:
            saying.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            refuse(f"{NAME}: {said.decode(errors='replace').strip()[-500:]}", 1)
        put_in_place(whole, lies, file)
    return _made_of(file, LOG)


def _pg_dump(programs: Path | None, server: int) -> str:
    """The program that is the least newer than the server, of this major version: an older one refuses."""
    if programs is not None:
        return str(programs / "pg_dump")
    known = {major: program for program in _programs() if (major := _major(program)) >= server}
    if not known:
        refuse(
            f"{NAME}: there is no pg_dump of version {server} or newer; install PostgreSQL's client programs, or name their "
            "folder with --programs."
        )
    return known[min(known)]


def _programs() -> Iterator[str]:
    from api.installation import postgres_programs
    from api.processes import CannotStart

    with contextlib.suppress(CannotStart):
        yield str(postgres_programs(None) / "pg_dump")
    if found := shutil.which("pg_dump"):
        yield found


def _major(program: str) -> int:
    """As in `pg_dump (PostgreSQL) 18.6`; 0 where it says nothing of the kind."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


async def _telling(file: Path) -> None:
    """How much is written, once a second."""
    begun = time.monotonic()
    while True:
        await asyncio.sleep(LOOKS_EVERY_SECONDS)
        written, seconds = await asyncio.to_thread(os.path.getsize, file), time.monotonic() - begun
        click.echo(f"{written / 1e6:,.0f} MB written, {written / 1e6 / seconds:,.0f} MB a second", err=True)


async def _keys(settings: Settings, file: Path) -> BackupFile:
    from api.export_files import put_in_place, unfinished
    from events.connections import connect
    from events.epochs import NotReconciled
    from events.key_backups import lines_of

    connection = await connect(settings.database_url, NAME)
    try:
        with unfinished(file) as (lines, lies):
            async for some in lines_of(connection):
                lines.write(some)
            put_in_place(lines, lies, file)
    except NotReconciled as error:
        refuse(f"{NAME}: {error}", 1)
    finally:
        await connection.close()
    return _made_of(file, KEYS)


def _made_of(file: Path, holds: str) -> BackupFile:
    return BackupFile(str(file), holds, file.stat().st_size)
