"""PostgreSQL and Valkey of our own."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from api import installation
from api.embedded import Postgres, Valkey
from api.installation import UNNAMED
from api.processes import CannotStart
from tests.up.processes import alive, left_in


async def test_the_owner_may_do_what_a_migration_needs(postgres: Postgres) -> None:
    url = await asyncio.to_thread(postgres.create, "owned")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE EXTENSION pg_trgm; CREATE ROLE embedded_reader; DROP ROLE embedded_reader")
        assert await connection.fetchval("SELECT similarity('Zoë', 'zoë')") == 1
        assert await connection.fetchval("SELECT 'b' < 'É' AND lower('É') = 'é'")
        assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    finally:
        await connection.close()
    await asyncio.to_thread(postgres.drop, "owned")


async def test_nobody_enters_without_the_password(postgres: Postgres) -> None:
    for user in ("muster", "postgres"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://{user}:guess@127.0.0.1:{postgres.port}/postgres", ssl=False)


def test_is_durable_unless_told_otherwise(tmp_path: Path) -> None:
    data = tmp_path / ("a long name with spaces, quotes ' and ü " * 3)
    server = Postgres(data, owner_password="it's", superuser_password="s")
    server.start()
    try:

        async def ask() -> list[str]:
            connection = await asyncpg.connect(server.url)
            try:
                return [
                    await connection.fetchval(f"SHOW {name}")
                    for name in ("fsync", "synchronous_commit", "full_page_writes")
                ]
            finally:
                await connection.close()

        assert asyncio.run(ask()) == ["on", "on", "on"]
        with pytest.raises(CannotStart, match=r"not those of .*/postgres"):
            asyncio.run(Postgres(data, port=server.port).ready())
    finally:
        server.stop()
    assert left_in(data) == []


def test_starts_after_a_kill_and_takes_a_new_owner_s_password(tmp_path: Path) -> None:
    server = Postgres(tmp_path, superuser_password="s", durable=False)
    server.start()
    child = server._child
    assert child
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    again = Postgres(tmp_path, superuser_password="s", owner_password="another", durable=False)
    again.start()
    again.stop()
    assert left_in(tmp_path) == []


def test_refuses_a_folder_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("")
    with pytest.raises(CannotStart, match="holds something that is no PostgreSQL database"):
        Postgres(tmp_path, durable=False).start()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(CannotStart, match="was made by PostgreSQL 15, and this is 18"):
        Postgres(tmp_path, durable=False).start()
    assert left_in(tmp_path) == []


def test_tells_why_it_cannot_start(tmp_path: Path) -> None:
    first = Postgres(tmp_path / "a", durable=False)
    first.start()
    try:
        with pytest.raises(CannotStart, match=r"(?s)postgres ended with exit code 1.*Address already in use"):
            Postgres(tmp_path / "b", port=first.port, durable=False).start()
    finally:
        first.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")
def test_runs_for_root_where_no_account_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "USER", "nobody-has-this-name")
    monkeypatch.setattr(installation, "_add_user", lambda: False)
    server = Postgres(tmp_path, durable=False)
    server.start()
    try:
        assert server._child
        assert Path(f"/proc/{server._child.pid}").stat().st_uid == UNNAMED.uid
        assert (tmp_path / "postgres").stat().st_uid == UNNAMED.uid
    finally:
        server.stop()


def test_two_that_copy_the_programs_at_once_leave_one_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "FOR_ALL", tmp_path / "for all")
    wheel = tmp_path / "wheel"
    wheel.mkdir()
    (wheel / "postgres").write_text("")
    copy = tmp_path / "for all" / "1.0"
    for _ in range(2):  # both have looked before either was done
        installation._copy(wheel, copy)
    assert [path.relative_to(copy).as_posix() for path in copy.rglob("*")] == ["wheel", "wheel/postgres"]
    assert list((tmp_path / "for all").iterdir()) == [copy]


def test_valkey_keeps_what_it_was_told(tmp_path: Path) -> None:
    async def say(server: Valkey, command: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"AUTH x\r\n{command}\r\n".encode())
        answers = [await reader.readline(), await reader.readline()]
        if answers[1].startswith(b"$"):
            answers.append(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return answers[-1].strip()

    first = Valkey(tmp_path, password="x")
    first.start()
    assert asyncio.run(say(first, "SET word kept")) == b"+OK"
    first.stop()
    second = Valkey(tmp_path, port=first.port, password="x")
    second.start()
    assert asyncio.run(say(second, "GET word")) == b"kept"
    assert second._child
    pid = second._child.pid
    second.stop()
    assert not alive(pid)
    assert left_in(tmp_path) == []
