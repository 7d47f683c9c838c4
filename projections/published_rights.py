"""Who may read what is published for analysts: two roles, whomever an operator lets in, and, of single people, few."""

from collections.abc import Collection, Sequence
from typing import Final

import asyncpg

from projections.published_view import PERSONAL, SUMS, Published

__all__ = ["granted", "hand_on", "readers", "withdrawn"]

_HELD: Final = """
    SELECT DISTINCT view.relname::text AS view, CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee,
        grantor = relowner AS by_owner, grantee = ANY (ARRAY[relowner, nspowner]) AS owns, attribute
    FROM pg_class AS view JOIN pg_namespace ON pg_namespace.oid = relnamespace CROSS JOIN LATERAL (
        SELECT relacl AS rights, NULL AS attribute UNION ALL
        SELECT attacl, attname::text FROM pg_attribute WHERE attrelid = view.oid AND attacl IS NOT NULL
    ) AS held CROSS JOIN LATERAL aclexplode(rights)
    WHERE nspname = 'analytics' AND relname = ANY ($1)
"""
"""The rights on views and on their columns, whoever gave them."""


def readers(view: Published, smallest_group: int) -> Sequence[str]:
    """The roles of analysts that read it. Where small groups are not told, rows of single people are for one of them."""
    if view.audience == PERSONAL or _is_of_few(view, smallest_group):
        return ("analyst_personal",)
    return ("analyst", "analyst_personal")


def _is_of_few(view: Published, smallest_group: int) -> bool:
    return smallest_group > 1 and view.audience != SUMS


async def granted(connection: asyncpg.Connection, view: Published) -> list[str]:
    """Who may read it, as GRANT takes them."""
    rows = await connection.fetch(_HELD, [view.name])
    return [row["grantee"] for row in rows]


async def hand_on(connection: asyncpg.Connection, view: str) -> None:
    """Let the owner of the schema let others read a view."""
    await connection.execute(f"GRANT SELECT ON analytics.{view} TO {await _schema_owner(connection)} WITH GRANT OPTION")


async def withdrawn(
    connection: asyncpg.Connection, views: Collection[Published], smallest_group: int, personal: str
) -> dict[str, list[str]]:
    """Where small groups are not told, let nobody read rows of single people but the role `personal`, whoever let them.

    Who could until now, by view. Who still can, because it was handed on in a circle, is told again the next time, and
    to be revoked by hand.
    """
    names = [view.name for view in views if _is_of_few(view, smallest_group)]
    if not names:
        return {}
    stays = await connection.fetchval("SELECT to_regrole($1)::text", personal)
    lost: dict[str, list[str]] = {}
    for row in await connection.fetch(_HELD, names):
        view, grantee = row["view"], row["grantee"]
        if row["owns"] or grantee == stays:
            continue
        if grantee not in lost.setdefault(view, []):
            lost[view].append(grantee)
        if row["by_owner"]:
            await connection.execute(f"REVOKE ALL ON analytics.{view} FROM {grantee} CASCADE")
        else:
            await _take_back(connection, view, row["attribute"])
    return lost


async def _take_back(connection: asyncpg.Connection, view: str, column: str | None) -> None:
    """What the owner of the schema handed on, which nobody else can revoke: they lose the right to, and get it again.

    A right on a column goes with that to hand on this column, which they have to be given for it.
    """
    owner = await _schema_owner(connection)
    if column is not None:
        await connection.execute(f"GRANT SELECT ({column}) ON analytics.{view} TO {owner} WITH GRANT OPTION")
        await connection.execute(f"REVOKE ALL ({column}) ON analytics.{view} FROM {owner} CASCADE")
    await connection.execute(f"REVOKE ALL ON analytics.{view} FROM {owner} CASCADE")
    await hand_on(connection, view)


async def _schema_owner(connection: asyncpg.Connection) -> str:
    owner: str = await connection.fetchval(
        "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'analytics'"
    )
    return owner
