"""Questions about what reactions owe and what became of it. References only: nothing personal lies there."""

from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    DateTime,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    case,
    column,
    func,
    literal_column,
    null,
    or_,
    select,
    table,
    true,
)
from sqlalchemy.schema import Column

from events.connections import Reading
from projections.concerns import REACTIONS
from projections.database import Statement, given

__all__ = [
    "STATUSES",
    "DeliveryPage",
    "DeliveryView",
    "deliveries",
    "deliveries_left",
    "deliveries_position",
    "delivery_by_id",
    "every_delivery",
]

MOST_DELIVERIES: Final = 200
STATUSES: Final = ("waiting", "sent", "obsolete", "dead")


class DeliveryView(Struct, frozen=True):
    """Something that an event calls for, as a mail: the `slot` tells which, and `subject` to whom.

    It is `waiting` until it was sent, became of no use (`obsolete`) or was given up (`dead`). `cause` is why it was not sent.
    """

    id: UUID
    position: int
    reaction: str
    slot: str
    subject: UUID
    status: str
    attempts: int
    next_attempt_at: datetime | None
    cause: str | None
    created_at: datetime
    settled_at: datetime | None


class DeliveryPage(Struct, frozen=True):
    """Deliveries, of the newest events first; `next` is the place to go on after, None at the end.

    `position` is how far reactions have come: what happened later may call for deliveries that are not there yet.
    """

    items: list[DeliveryView]
    next: tuple[int, UUID] | None
    position: int


_table: Final = Table(
    "deliveries",
    MetaData(),
    Column("id", Uuid),
    Column("position", BigInteger),
    Column("reaction", Text),
    Column("slot", Text),
    Column("subject_id", Uuid),
    Column("status", Text),
    Column("attempts", Integer),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("cause", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
)
_of: Final = _table.columns
_checkpoints: Final = table("checkpoints", column("consumer"), column("position"))
_shown: Final = [
    _of.id,
    _of.position,
    _of.reaction,
    _of.slot,
    _of.subject_id.label("subject"),
    _of.status,
    _of.attempts,
    case((_of.status == "waiting", _of.next_attempt_at), else_=null()).label("next_attempt_at"),
    _of.cause,
    _of.created_at,
    _of.settled_at,
]
_FILTERS: Final = {"reaction": _of.reaction, "subject": _of.subject_id}
_IS: Final = {status: _of.status == literal_column(f"'{status}'") for status in STATUSES}


def _reached() -> Select[tuple[int]]:
    stands = _checkpoints.columns
    return select(func.coalesce(func.min(stands.position), 0).label("reached")).where(
        or_(*(stands.consumer == reaction.name for reaction in REACTIONS))
    )


def _with_reached(rows: Any) -> Select[Any]:
    """Rows, and how far reactions are, of one moment; a row of nulls where there are none."""
    reached = _reached().subquery()
    return select(reached, rows).select_from(reached.outerjoin(rows, true()))


@cache
def _page(status: str | None, filters: frozenset[str], *, goes_on: bool) -> Statement:
    """One statement for each combination of filters: a condition that asks whether it is wanted ruins the plan.

    And one for each status, which stands in it: those that are few have indexes of their own, and a plan that is kept
    for any status uses none of them.
    """
    conditions = [_FILTERS[name] == given(name, _FILTERS[name].type) for name in sorted(filters)]
    if status is not None:
        conditions.append(_IS[status])
    if goes_on:
        position = given("position", BigInteger)
        conditions.append(and_(_of.position <= position, or_(_of.position < position, _of.id < given("after", Uuid))))
    order = (_of.position.desc(), _of.id.desc())
    rows = select(*_shown).where(*conditions).order_by(*order).limit(given("limit", Integer)).subquery()
    return Statement(_with_reached(rows).order_by(rows.columns.position.desc(), rows.columns.id.desc()))


_by_id: Final = Statement(_with_reached(select(*_shown).where(_of.id == given("delivery_id", Uuid)).subquery()))


async def deliveries(
    pool: Reading,
    *,
    status: str | None = None,
    reaction: str | None = None,
    subject: UUID | None = None,
    after: tuple[int, UUID] | None = None,
    limit: int = 50,
) -> DeliveryPage:
    """The deliveries that all filters fit, of the newest events first: those after a `next`, at most `limit` (and 200).

    `status` is one of `STATUSES`.
    """
    limit = max(1, min(limit, MOST_DELIVERIES))
    asked = {"reaction": reaction, "subject": subject}
    filters = {name: value for name, value in asked.items() if value is not None}
    place = {} if after is None else {"position": after[0], "after": after[1]}
    statement = _page(status, frozenset(filters), goes_on=after is not None)
    rows = await statement.fetch(pool, limit=limit + 1, **filters, **place)
    items = [_view(row) for row in rows[:limit] if row["id"] is not None]
    following = (items[-1].position, items[-1].id) if len(rows) > limit else None
    return DeliveryPage(items, following, rows[0]["reached"])


async def delivery_by_id(pool: Reading, delivery_id: UUID) -> tuple[DeliveryView | None, int]:
    """A delivery, if there is one of this id, and how far reactions are."""
    row = await _by_id.fetchrow(pool, delivery_id=delivery_id)
    assert row is not None, "how far reactions are is always told"
    return (None if row["id"] is None else _view(row)), row["reached"]


_position: Final = Statement(_reached())


async def deliveries_position(reading: Reading) -> int:
    """How far reactions are: whatever events up to there call for has its delivery."""
    row = await _position.fetchrow(reading)
    assert row is not None, "how far reactions are is always told"
    position: int = row["reached"]
    return position


def every_delivery() -> Select[Any]:
    """All deliveries as they are shown, of the oldest events first."""
    return select(*_shown).order_by(_of.position, _of.id)


async def deliveries_left(pool: Reading) -> dict[str, int]:
    """How many deliveries wait, and how many were given up; of both there are few."""
    row = await pool.fetchrow(
        "SELECT (SELECT count(*) FROM deliveries WHERE status = 'waiting') AS waiting, "
        "(SELECT count(*) FROM deliveries WHERE status = 'dead') AS dead"
    )
    return dict(row)


def _view(row: asyncpg.Record) -> DeliveryView:
    return DeliveryView(**{name: row[name] for name in DeliveryView.__struct_fields__})
