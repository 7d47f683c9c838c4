"""When each regular work is due: whichever worker moves its time on does it, so that it is done once a turn.

Times are the database's, so that workers whose clocks differ agree; tests give `now`.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from events.connections import Reading

__all__ = ["prepare_schedules", "put_off", "take_turns"]


async def prepare_schedules(connection: Reading, names: Collection[str], now: datetime | None = None) -> None:
    """Let work that never was be due at once. Safe to repeat, and to do twice at once."""
    await connection.execute(
        "INSERT INTO schedules (name, due_at) SELECT name, coalesce($2, clock_timestamp()) FROM unnest($1::text[]) AS name "
        "ON CONFLICT DO NOTHING",
        list(names),
        now,
    )


async def take_turns(connection: Reading, every: Mapping[str, float], now: datetime | None = None) -> list[str]:
    """The work that is due, of that with these intervals in seconds; it is due again after its interval.

    Whoever is given it has to do it: of many who ask at once, one is. Should that one die, the next turn does what it left.
    """
    rows = await connection.fetch(
        "UPDATE schedules SET due_at = coalesce($3, clock_timestamp()) + make_interval(secs => mine.seconds) "
        "FROM (SELECT name, seconds FROM schedules JOIN unnest($1::text[], $2::float8[]) AS every (name, seconds) "
        "USING (name) WHERE due_at <= coalesce($3, clock_timestamp()) FOR UPDATE OF schedules SKIP LOCKED) AS mine "
        "WHERE schedules.name = mine.name RETURNING schedules.name",
        list(every),
        list(every.values()),
        now,
    )
    return sorted(row["name"] for row in rows)


async def put_off(connection: Reading, name: str, seconds: float, now: datetime | None = None) -> None:
    """Let work that is still being done be due so much later, so that nobody else begins it meanwhile."""
    await connection.execute(
        "UPDATE schedules SET due_at = coalesce($3, clock_timestamp()) + make_interval(secs => $2) WHERE name = $1",
        name,
        seconds,
        now,
    )
