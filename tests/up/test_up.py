"""`muster up` as its users start it, with Muster's own processes."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.embedded import Postgres, Valkey
from api.ports import free_port
from api.processes import sitters
from api.up import up as command
from settings import load
from tests.debian import DebianPostgres, debian_redis
from tests.up.processes import MAKE, MUSTER, Up, alive, left_in, until

ROOT = Path(__file__).parents[2]


def test_help_tells_of_folder_ports_and_own_servers() -> None:
    told = CliRunner().invoke(command, ["--help"]).output
    for words in (
        "Data folder",
        "Ports",
        "Your own servers",
        "secrets.json",
        "Ctrl-C",
        "0 takes a free one",
        "MUSTER_DATA",
        "MUSTER_PORT",
        "MUSTER_DATABASE_URL",
        "MUSTER_REDIS_URL",
        "MUSTER_SMTP_URL",
        "Exit codes",
    ):
        assert words in told
    assert max(map(len, told.splitlines())) <= 80


def test_its_defaults_are_those_of_the_settings() -> None:
    key = "A" * 43
    settings = load(
        {
            **dict.fromkeys(("MUSTER_MASTER_KEY", "MUSTER_SECRET"), key),
            "MUSTER_ENVIRONMENT": "development",
            "MUSTER_DATABASE_URL": "postgresql://h/d",
            "MUSTER_REDIS_URL": "redis://h",
            "MUSTER_SMTP_URL": "smtp://h",
            "MUSTER_BASE_URL": "http://h",
        }
    )
    defaults = command.make_context("up", []).params
    assert defaults["port"] == settings.port
    assert defaults["host"] == settings.host
    assert str(defaults["data"]) == settings.data


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_new_folder_by_make_then_the_same_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Up(data, command=MAKE if (ROOT / ".venv" / ".stamp").exists() else MUSTER) as up:
        first = up.ready()
        assert list(first["pids"]) == ["up", "postgres", "valkey", "mail", "api", "worker"]
        assert status(f"{first['api']}/readyz") == 200
        assert status(first["docs"]) == 200
        assert first["admin_signup"].startswith(first["api"])
        bare = {"PATH": os.environ["PATH"], "MUSTER_DATA": str(data)}
        asked = [sys.executable, "-P", "-m", "api.cli", "users", "list"]
        listed = subprocess.run(asked, env=bare, capture_output=True, text=True, check=True)
        assert (listed.stdout.split()[0], listed.stderr) == ("ID", ""), "operators need no settings of their own here"
        assert (data / "environment.json").stat().st_mode & 0o777 == 0o600
        up.stop()  # the code is make's
        assert not any(map(alive, first["pids"].values()))
        assert left_in(data) == []
    with Up(data, command=MUSTER) as again:
        second = again.ready()
        assert second["database"] == first["database"]
        assert status(f"{second['api']}/readyz") == 200
        assert again.stop() == 0
        assert left_in(data) == []


def test_heals_when_each_process_is_killed_and_leaves_nothing_when_it_is_killed_itself(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Up(data, command=MUSTER) as up:
        told = up.ready()
        for name in ("postgres", "valkey", "worker", "api"):
            found = sitters(data / "run" / f"{name}.lock")
            assert found
            for pid in found:
                with suppress(ProcessLookupError):  # what has seen another of them die ends by itself
                    os.kill(pid, signal.SIGKILL)
            until(lambda name=name: f"{name} is back." in up.told, f"{name} is back: {up.told}")  # type: ignore[misc]  # bound now
            until(lambda: status(f"{told['api']}/readyz") == 200, f"the API is ready after {name}: {up.told}", 20)
        up.send(signal.SIGKILL)
        until(lambda: left_in(data) == [], "everything has ended")


@pytest.fixture
def redis7(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis from Debian's package; skips where it is not installed."""
    program = debian_redis()
    if program is None:
        pytest.skip("Redis is not installed (Debian's package redis-server)")
    port = free_port()
    arguments = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--requirepass",
        "own",
        "--dir",
        str(tmp_path),
        "--save",
        "",
    ]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL) as server:
        yield f"redis://:own@127.0.0.1:{port}/0"
        server.terminate()


def runs_on(data: Path, **own: str) -> None:
    with Up(data, command=MUSTER, environ=own) as up:
        told = up.ready()
        assert {"postgres", "valkey", "mail"}.isdisjoint(told["pids"])
        assert status(f"{told['api']}/readyz") == 200
        assert up.stop() == 0
        assert left_in(data) == []


OWN_SMTP = "smtp://127.0.0.1:9"


def test_runs_on_ones_own_postgres_15(tmp_path: Path, postgres15: DebianPostgres, valkey: Valkey) -> None:
    url = asyncio.run(postgres15.create("brought_to_up"))
    runs_on(tmp_path, MUSTER_DATABASE_URL=url, MUSTER_REDIS_URL=valkey.url, MUSTER_SMTP_URL=OWN_SMTP)


def test_runs_on_ones_own_redis_7(tmp_path: Path, postgres: Postgres, redis7: str) -> None:
    url = postgres.create("brought_to_up")
    runs_on(tmp_path / "data", MUSTER_DATABASE_URL=url, MUSTER_REDIS_URL=redis7, MUSTER_SMTP_URL=OWN_SMTP)


def test_make_alone_says_what_can_be_made() -> None:
    told = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for target in ("install", "up", "test", "check", "bench", "docs", "help"):
        assert f"make {target} " in told
