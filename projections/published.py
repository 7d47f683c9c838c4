"""Publishes views for analysts: makes those of the schema `analytics` over the tables that serve, and says who may read them."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import structlog

from events.connections import TROUBLE
from events.migrations.roles import ANALYSTS, role_names
from projections.causes import told
from projections.pausing import pause
from projections.published_rights import granted, hand_on, readers, withdrawn
from projections.published_view import Published
from projections.published_views import EDITION, PUBLISHED
from projections.read_model import ReadModel
from projections.serving import serving

__all__ = ["PATIENCE", "keep_small_groups", "publish", "publish_regularly", "publish_what_serves"]

_LOCK: Final = 0x7075626C
_EDITION: Final = "-- edition "
_NUMBER: Final = re.compile(r"\d+")
_VERSION: Final = re.compile(r"_v(\d+)")
PATIENCE: Final = "2s"
AGAIN_SECONDS: Final = 5.0

_log = structlog.get_logger()


async def publish(connection: asyncpg.Connection, tables: Mapping[str, str]) -> list[str]:
    """Make or replace the views over these tables: the name of each read model with that of the table that serves it.

    With the projector's rights, in a transaction of the caller's if there is one. Views of models that are not named
    stay as they are; what has not changed is not touched, so that nobody who reads is waited for. What a later edition or
    a later version of a model has made stays. What was granted to others on a view stays granted, but rows of single
    people where small groups are not told. Safe to repeat, and to do twice at once.

    The names of views that stay as they were, because they lose columns and others have built upon them. Raises
    `LockNotAvailableError` when someone reads a view that has to be replaced for longer than two seconds; then
    nothing is changed, and it is to be tried again.
    """
    kept: list[str] = []
    async with connection.transaction():
        patience = await connection.fetchval("SELECT current_setting('lock_timeout')")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute("SELECT set_config('lock_timeout', $1, true)", PATIENCE)
        row = await connection.fetchrow("SELECT smallest_group, current_database() AS database FROM publishing")
        smallest, roles = row["smallest_group"], role_names(row["database"])
        made = dict(await connection.fetch("SELECT view, definition FROM published"))
        for view in PUBLISHED:
            if not set(view.of) <= tables.keys():
                continue
            there = await _is_there(connection, view)
            before = made.get(view.name, "") if there else ""
            allowed = [roles[role] for role in readers(view, smallest)]
            others = [roles[role] for role in ANALYSTS if roles[role] not in allowed]
            edition, statement = _edition(view, tables), view.statement(tables)
            definition = "\n".join([f"{_EDITION}{edition}", statement, *view.comments(), *allowed])
            if before == definition or _is_later(before, edition):
                continue
            try:
                async with connection.transaction():
                    await _make(connection, view, statement, allowed, others)
                    await _note(connection, view.name, definition)
            except asyncpg.DependentObjectsStillExistError:
                kept.append(view.name)
        lost = await withdrawn(connection, PUBLISHED, smallest, roles["analyst_personal"])
        await connection.execute("SELECT set_config('lock_timeout', $1, true)", patience)
    for view_name, people in lost.items():
        _log.warning("rows of single people are not read any more", view=view_name, roles=people)
    return kept


def _edition(view: Published, tables: Mapping[str, str]) -> list[int]:
    """That of all views, and the versions of the models that this one is of."""
    versions = (_VERSION.search(tables[model]) for model in view.of)
    return [EDITION, *(int(version[1]) if version else 0 for version in versions)]


def _is_later(definition: str, edition: list[int]) -> bool:
    """Whether a view was made by a newer version of Muster than this one, which knows better."""
    first, _, _ = definition.partition("\n")
    if not first.startswith(_EDITION):
        return False
    return any(theirs > ours for theirs, ours in zip(map(int, _NUMBER.findall(first)), edition, strict=False))


async def _is_there(connection: asyncpg.Connection, view: Published) -> bool:
    return await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"analytics.{view.name}") or False


async def _make(
    connection: asyncpg.Connection, view: Published, statement: str, allowed: Sequence[str], others: Sequence[str]
) -> None:
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.InvalidTableDefinitionError:  # columns were renamed or removed, which no replacing does
        let_in = await granted(connection, view)
        await connection.execute(f"DROP VIEW analytics.{view.name}")
        await connection.execute(statement)
        for grantee in let_in:
            await connection.execute(f"GRANT SELECT ON analytics.{view.name} TO {grantee}")
    for comment in view.comments():
        await connection.execute(comment)
    await connection.execute(f"GRANT SELECT ON analytics.{view.name} TO {', '.join(allowed)}")
    await hand_on(connection, view.name)
    if others:
        await connection.execute(f"REVOKE ALL ON analytics.{view.name} FROM {', '.join(others)}")


async def _note(connection: asyncpg.Connection, name: str, definition: str) -> None:
    await connection.execute(
        "INSERT INTO published (view, definition) VALUES ($1, $2) "
        "ON CONFLICT (view) DO UPDATE SET definition = excluded.definition",
        name,
        definition,
    )


async def keep_small_groups(connection: asyncpg.Connection, smallest_group: int) -> None:
    """Say how many a group must have for its size to be told. Views obey at once, rights at the next `publish`."""
    await connection.execute("UPDATE publishing SET smallest_group = $1 WHERE smallest_group <> $1", smallest_group)


async def publish_what_serves(connection: asyncpg.Connection, models: Iterable[ReadModel[Any]]) -> list[str]:
    """`publish` over the tables that serve now, of these models in these versions. Answers and raises as that does."""
    known = {(model.name, model.version) for model in models}
    found = await serving(connection)
    return await publish(
        connection, {one.name: one.serving for one in found if one.serving and (one.name, one.version) in known}
    )


async def publish_regularly(
    pool: asyncpg.Pool, models: Iterable[ReadModel[Any]], smallest_group: int, finished: asyncio.Event
) -> None:
    """Keep the views over the tables that serve until it is finished; what fails is tried again at the next turn."""
    failing, kept = False, list[str]()
    while not finished.is_set():
        try:
            async with pool.acquire() as connection:
                await keep_small_groups(connection, smallest_group)
                before, kept = kept, await publish_what_serves(connection, models)
            if kept != before and kept:
                _log.warning("views of analysts stay as they were, for others are built upon them", views=kept)
            failing = False
        except TROUBLE as error:
            if not failing:
                _log.warning("views of analysts not published yet", error=told(error))
            failing = True
        await pause(AGAIN_SECONDS, finished)
