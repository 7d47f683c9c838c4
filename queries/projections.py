"""Questions about projections themselves: how far each of them is, how fast it goes, and who keeps it."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import asyncpg
from msgspec import Struct

from events.connections import Reading
from projections.checkpoints import FADES_SECONDS, lock_key
from projections.concerns import CONCERNS
from projections.heartbeat import GAP_SECONDS, holders
from projections.models import BY_NAME
from projections.rebuilds import Rebuild, rebuilds
from projections.serving import serving
from projections.topics import known_topics

__all__ = ["Partition", "Projection", "ProjectionList", "projections"]

LOOKS_AT: Final = 10_000
"""Events after a checkpoint that are looked at one by one; those beyond count as if each of them concerned it."""


class Partition(Struct, frozen=True):
    """A part of a consumer that moves by itself.

    Up to `position` everything that concerns it was taken in, and it is `behind` by so many events that do and are not, the
    oldest of which happened `behind_seconds` ago. `rate` is how many it took in a second lately. `held_by` is the worker that
    keeps it now, null when none does.
    """

    partition: int
    position: int
    behind: int
    behind_seconds: float
    rate: float
    taken: int
    parked: int
    moved_at: datetime
    held_by: str | None


class Projection(Struct, frozen=True):
    """A table of a read model, or a reaction (`table`, `version` and `state` null), with what its partitions are together.

    A table is `serving`, `kept` for going back to, or `following` until it serves; one of an `earlier` version than this
    process knows is projected by workers of that version alone, and stands still when they are gone.
    """

    name: str
    table: str | None
    version: int | None
    state: str | None
    position: int
    behind: int
    behind_seconds: float
    rate: float
    parked: int
    partitions: list[Partition]


class ProjectionList(Struct, frozen=True):
    """All consumers of the log, and rebuilds. `position` is that of its end when they were asked."""

    items: list[Projection]
    position: int
    rebuilds: list[Rebuild]


_TABLE: Final = re.compile(r"(?P<name>\w+)_v(?P<version>[0-9]+)(?:_[0-9]+)?")

_QUESTION: Final = f"""
    WITH log AS (SELECT coalesce(max(notification_id), 0) AS head FROM stored_events),
    concerns AS (SELECT * FROM unnest($1::text[], $2::text[], $3::bool[]) AS given (name, topics, unknown))
    SELECT c.consumer, c.partition, c.position, c.taken, c.parked, c.moved_at, log.head,
        c.lately * exp(least(extract(epoch FROM c.moved_at - clock_timestamp())::float8, 0) / {FADES_SECONDS})
            / {FADES_SECONDS} AS rate,
        coming.events + greatest(log.head - c.position - {LOOKS_AT}, 0) AS behind,
        coalesce(greatest(extract(epoch FROM clock_timestamp() - coalesce(coming.oldest, (
            SELECT recorded_at FROM stored_events
            WHERE notification_id = c.position + {LOOKS_AT} + 1)))::float8, 0), 0) AS behind_seconds
    FROM checkpoints AS c CROSS JOIN log
    LEFT JOIN concerns ON concerns.name = regexp_replace(c.consumer, '_v[0-9]+(_[0-9]+)?$', '')
    CROSS JOIN LATERAL (
        SELECT count(*) AS events, min(recorded_at) AS oldest FROM stored_events
        WHERE notification_id > c.position AND notification_id <= least(c.position + {LOOKS_AT}, log.head)
            AND (concerns.name IS NULL OR topic = ANY(string_to_array(concerns.topics, ' '))
                OR concerns.unknown AND topic <> ALL($4))
            AND (get_byte(uuid_send(subject_id), 15) % c.partitions = c.partition
                OR subject_id IS NULL AND topic = ANY(string_to_array(concerns.topics, ' ')))
    ) AS coming
    ORDER BY c.consumer, c.partition
"""  # noqa: S608 - made of constants


async def projections(pool: Reading) -> ProjectionList:
    """Every consumer and partition, in one question and so of one moment; and who holds them a moment later.

    Between two slices nobody holds a partition: what nobody holds is looked at twice.
    """
    rows = await pool.fetch(
        _QUESTION,
        list(CONCERNS),
        [" ".join(concern.topics) for concern in CONCERNS.values()],
        [concern.parks_unknown for concern in CONCERNS.values()],
        list(known_topics()),
    )
    locks = {(row["consumer"], row["partition"]): (lock_key(row["consumer"]), row["partition"]) for row in rows}
    held = await holders(pool)
    if not held.keys() >= set(locks.values()):
        await asyncio.sleep(GAP_SECONDS)
        held = await holders(pool) | held
    by_consumer: dict[str, list[Partition]] = {}
    for row in rows:
        partition = _partition(row, held.get(locks[row["consumer"], row["partition"]]))
        by_consumer.setdefault(row["consumer"], []).append(partition)
    states: dict[str | None, str] = {}
    for one in await serving(pool):
        states |= {one.previous: "kept", one.serving: "serving"}
    items = [_together(consumer, partitions, states) for consumer, partitions in by_consumer.items()]
    return ProjectionList(items, rows[0]["head"] if rows else 0, await rebuilds(pool))


def _partition(row: asyncpg.Record, holder: str | None) -> Partition:
    return Partition(
        partition=row["partition"],
        position=row["position"],
        behind=row["behind"],
        behind_seconds=round(row["behind_seconds"], 3),
        rate=round(row["rate"], 2),
        taken=row["taken"],
        parked=row["parked"],
        moved_at=row["moved_at"],
        held_by=None if holder is None else holder.removeprefix("muster worker "),
    )


def _together(consumer: str, partitions: list[Partition], states: Mapping[str | None, str]) -> Projection:
    found = _TABLE.fullmatch(consumer)
    state = None if found is None else states.get(consumer, "following")
    if found and found["name"] in BY_NAME and int(found["version"]) < BY_NAME[found["name"]].version:
        state = "earlier"
    return Projection(
        name=found["name"] if found else consumer,
        table=consumer if found else None,
        version=int(found["version"]) if found else None,
        state=state,
        position=min(part.position for part in partitions),
        behind=sum(part.behind for part in partitions),
        behind_seconds=max(part.behind_seconds for part in partitions),
        rate=round(_sum(part.rate for part in partitions), 2),
        parked=sum(part.parked for part in partitions),
        partitions=partitions,
    )


def _sum(rates: Iterable[float]) -> float:
    return sum(rates, 0.0)
