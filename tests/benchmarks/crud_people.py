"""The people of the CRUD stack: rows as registering them would have left them, and their access tokens."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import jwt

from events.connections import connect
from tests.benchmarks.house import CRUD_SECRET
from tests.benchmarks.people import Person
from tests.benchmarks.requests import PASSWORD

__all__ = ["crud_people", "crud_tokens"]

LIVES: Final = timedelta(minutes=10)


async def crud_people(url: str, count: int) -> list[Person]:
    """Put so many people into the peer's table, which it made when it started; a moment lies between any two."""
    people = [Person(uuid4(), f"seed{number:09}@example.com", 0) for number in range(count)]
    since = datetime.now(UTC) - timedelta(milliseconds=count)
    connection = await connect(url, "seeding")
    await connection.copy_records_to_table(
        "users",
        records=[
            (one.id, one.email, f"plain:{PASSWORD}", "Ada Lovelace", "en-GB", True, moment, moment)
            for number, one in enumerate(people)
            for moment in [since + timedelta(milliseconds=number)]
        ],
        columns=(
            *("id", "email", "hashed_password", "display_name", "locale"),
            *("is_active", "created_at", "updated_at"),
        ),
    )
    await connection.execute("VACUUM (ANALYZE) users")
    await connection.close()
    return people


def crud_tokens(people: Iterable[Person]) -> list[str]:
    """A fresh access token for each, as signing in would give it."""
    expires = datetime.now(UTC) + LIVES
    return [jwt.encode({"sub": str(one.id), "exp": expires}, CRUD_SECRET, algorithm="HS256") for one in people]
