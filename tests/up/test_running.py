"""Who keeps everything running: real servers, and a stand-in for Muster's own commands."""

import asyncio
import json
import os
import signal
import smtplib
import socket
import stat
import urllib.request
from pathlib import Path

import asyncpg
import pytest

from api.embedded import Postgres, Valkey
from tests.up.processes import Up, alive, left_in, until


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run_sql(url: str, statement: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_tells_where_everything_is_and_stops_without_a_trace(data: Path) -> None:
    with Up(data) as up:
        told = up.ready()
        assert list(told) == ["api", "docs", "database", "redis", "smtp", "mail", "admin_signup", "pids"]
        assert list(told["pids"]) == ["up", "postgres", "valkey", "mail", "api", "worker"]
        assert told["admin_signup"] == "http://127.0.0.1/first"
        assert all(map(alive, told["pids"].values()))
        assert answers(told["api"])
        assert (
            run_sql(told["database"], "SELECT current_user || current_setting('server_version_num')::int / 10000")
            == "muster18"
        )
        with smtplib.SMTP(told["smtp"].removeprefix("smtp://"), timeout=5) as smtp:
            smtp.sendmail("a@example.org", ["b@example.org"], b"Subject: Hello\r\n\r\nHello\r\n")
        assert len(list(Path(told["mail"], "new").iterdir())) == 1
        assert stat.S_IMODE((data / "secrets.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert up.stop() == 0
        assert not any(map(alive, told["pids"].values()))
        assert left_in(data) == []
        assert "Everything has stopped." in up.told


def test_gives_the_owner_to_the_migration_only(data: Path) -> None:
    with Up(data, environ={"MUSTER_REGISTRATION": "closed"}) as up:
        told = up.ready()
        given = {part: json.loads((data / f"{part}.environment").read_text()) for part in ("migrate", "api", "worker")}
        assert given["migrate"]["MUSTER_DATABASE_URL"] == told["database"]
        for part in ("api", "worker"):
            assert given[part]["MUSTER_DATABASE_URL"] == "postgresql://" + told["database"].partition("@")[2]
            assert given[part]["MUSTER_REDIS_URL"] == told["redis"]
            assert given[part]["MUSTER_SMTP_URL"] == told["smtp"]
            assert given[part]["MUSTER_BASE_URL"] == told["api"]
            assert given[part]["MUSTER_REGISTRATION"] == "closed"
            assert given[part]["MUSTER_ENVIRONMENT"] == "development"
            assert {"MUSTER_MASTER_KEY", "MUSTER_SECRET", "MUSTER_HOST", "MUSTER_PORT"} <= given[part].keys()


def test_starts_again_what_dies_and_says_why(data: Path) -> None:
    with Up(data) as up:
        told = up.ready()
        for name in ("postgres", "valkey", "mail", "api", "worker"):
            os.kill(told["pids"][name], signal.SIGKILL)
        for name in ("postgres", "valkey", "mail", "api", "worker"):
            until(lambda name=name: f"{name} is back." in up.told, f"{name} is back: {up.told}")  # type: ignore[misc]  # bound now
            assert f"{name} was ended by SIGKILL" in up.told
        assert run_sql(told["database"], "SELECT 1") == 1
        assert answers(told["api"])
        assert up.stop() == 0
        assert left_in(data) == []


def test_a_killed_up_takes_everything_along_and_the_next_keeps_the_data(data: Path) -> None:
    with Up(data) as up:
        first = up.ready()
        run_sql(first["database"], "CREATE TABLE kept AS SELECT 'still here' AS word")
        up.send(signal.SIGKILL)
        with Up(data) as again:
            second = again.ready()
            assert not any(map(alive, first["pids"].values()))
            assert run_sql(second["database"], "SELECT word FROM kept") == "still here"
            assert second["database"] == first["database"]
            assert second["redis"] == first["redis"]
            assert again.stop() == 0
        assert left_in(data) == []


def test_starts_after_a_crash_of_everything_at_once(data: Path) -> None:
    with Up(data) as up:
        pids = up.ready()["pids"]
        for name in ("up", "postgres", "valkey"):
            os.kill(pids[name], signal.SIGKILL)
        stale = data / "postgres" / "postmaster.pid"
        until(lambda: not alive(pids["postgres"]), "PostgreSQL has ended")
        # The number that the dead server has left belongs to a stranger by now: this test.
        stale.write_text("\n".join([str(os.getpid()), *stale.read_text().splitlines()[1:]]) + "\n")
        with Up(data) as again:
            assert run_sql(again.ready()["database"], "SELECT 1") == 1
            assert again.stop() == 0


def test_stops_everything_when_one_thing_keeps_dying(data: Path) -> None:
    with Up(data, environ={"DYING": "worker"}) as up:
        assert up.code() == 1
        assert "worker keeps dying, so everything is stopped. The last time, worker ended with exit code 1" in up.told
        assert "worker has had enough" in up.told
        assert left_in(data) == []


def test_stops_everything_when_the_migration_fails(data: Path) -> None:
    with Up(data, environ={"DYING": "migrate"}) as up:
        assert up.code() == 1
        assert "migrate ended with exit code 1" in up.told
        assert "migrate has had enough" in up.told
        assert left_in(data) == []


def test_stops_in_the_middle_of_starting(data: Path) -> None:
    with Up(data) as up:
        until(lambda: (data / "postgres.new").exists() or (data / "postgres").exists(), "it has begun")
        up.send(signal.SIGINT)
        assert up.code() == 0
        assert left_in(data) == []
    with Up(data) as again:
        again.ready()
        assert again.stop() == 0


def test_says_who_holds_the_data_folder(data: Path) -> None:
    with Up(data) as up:
        told = up.ready()
        with Up(data) as second:
            assert second.code() == 2
            assert f"process {told['pids']['up']}, {told['api']}" in second.told
            assert "--data" in second.told


def test_says_that_the_port_is_taken(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Up(data, "--port", str(port)) as up:
            assert up.code() == 2
            assert f"Port {port} on 127.0.0.1 is taken by another program" in up.told
            assert "--port" in up.told
        assert left_in(data) == []


def test_says_that_it_cannot_listen_there(data: Path) -> None:
    with Up(data, "--port", "0", "--host", "203.0.113.7") as up:
        assert up.code() == 2
        assert "The API cannot listen on 203.0.113.7" in up.told


def test_says_which_setting_is_wrong(data: Path) -> None:
    with Up(data, environ={"MUSTER_PARTITIONS": "many", "MUSTER_PARTITION": "3"}) as up:
        assert up.code() == 2
        assert "MUSTER_PARTITIONS: " in up.told
        assert "MUSTER_PARTITION is no setting of Muster" in up.told
        assert left_in(data) == []


def test_says_that_ones_own_server_cannot_be_used(data: Path) -> None:
    with Up(data, environ={"MUSTER_DATABASE_URL": "postgresql://me:hidden@127.0.0.1:http/muster"}) as up:
        assert up.code() == 2
        assert "MUSTER_DATABASE_URL: postgresql://me@127.0.0.1:http/muster cannot be used" in up.told
        assert "hidden" not in up.told
        assert left_in(data) == []


def test_starts_none_of_the_servers_that_one_brings(data: Path, postgres: Postgres, valkey: Valkey) -> None:
    url = postgres.create("brought")
    own = {"MUSTER_DATABASE_URL": url, "MUSTER_REDIS_URL": valkey.url, "MUSTER_SMTP_URL": "smtp://127.0.0.1:9"}
    with Up(data, environ=own) as up:
        told = up.ready()
        assert (told["database"], told["redis"], told["smtp"], told["mail"]) == (*own.values(), None)
        assert list(told["pids"]) == ["up", "api", "worker"]
        assert "MUSTER_SMTP_URL: smtp://127.0.0.1:9 cannot be reached now (nothing listens there)" in up.told
        assert up.stop() == 0
