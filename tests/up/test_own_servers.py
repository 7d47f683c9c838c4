"""Servers that the user brings: what is said when they cannot be used."""

import pytest

from api import own_servers
from api.embedded import Postgres, Valkey
from api.own_servers import check_database, check_redis, shown, without_user
from api.processes import CannotStart


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_servers, "PATIENCE", 0.3)


async def test_takes_servers_that_answer(postgres: Postgres, valkey: Valkey) -> None:
    await check_database(postgres.url)
    await check_redis(valkey.url)


async def test_says_that_no_database_is_there() -> None:
    with pytest.raises(CannotStart, match=r"MUSTER_DATABASE_URL: .*me@127.0.0.1:9/muster .*nothing listens there"):
        await check_database("postgresql://me:hidden@127.0.0.1:9/muster")


async def test_says_what_the_database_says(postgres: Postgres) -> None:
    with pytest.raises(CannotStart, match="password authentication failed"):
        await check_database(f"postgresql://muster:wrong@127.0.0.1:{postgres.port}/muster")
    with pytest.raises(CannotStart, match='database "elsewhere" does not exist'):
        await check_database(postgres.url.rpartition("/")[0] + "/elsewhere")


async def test_says_that_no_redis_is_there() -> None:
    with pytest.raises(CannotStart, match=r"MUSTER_REDIS_URL: redis://127.0.0.1:9/0 .*nothing listens there"):
        await check_redis("redis://:hidden@127.0.0.1:9/0")


async def test_says_what_redis_says(valkey: Valkey) -> None:
    with pytest.raises(CannotStart, match="invalid username-password"):
        await check_redis(f"redis://:wrong@127.0.0.1:{valkey.port}/0")


def test_takes_the_user_out_of_a_url() -> None:
    assert (
        without_user("postgresql://me:p%40ss@h:1/db?sslmode=require&password=x")
        == "postgresql://h:1/db?sslmode=require"
    )
    assert without_user("postgresql:///db?host=/run/postgresql") == "postgresql:///db?host=%2Frun%2Fpostgresql"
    assert without_user("postgresql://h/db") == "postgresql://h/db"


def test_shows_no_password() -> None:
    assert shown("postgresql://me:hidden@h/db") == "postgresql://me@h/db"
    assert shown("redis://:hidden@h/0") == "redis://h/0"
    assert shown("redis://h/0") == "redis://h/0"
