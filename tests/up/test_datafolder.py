"""The data folder: held by one, with secrets that are kept, and plain words when it cannot be used."""

import base64
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api import datafolder
from api.datafolder import held
from api.processes import CannotStart


def test_makes_secrets_once(tmp_path: Path) -> None:
    with held(tmp_path / "data") as folder:
        first = folder.secrets()
        assert stat.S_IMODE((folder.path / "secrets.json").stat().st_mode) == 0o600
    with held(tmp_path / "data") as folder:
        assert folder.secrets() == first
    assert len(base64.urlsafe_b64decode(first["MUSTER_MASTER_KEY"])) == 32
    assert len(set(first.values())) == 5


def test_makes_no_new_secrets_for_old_data(tmp_path: Path) -> None:
    with held(tmp_path) as folder:
        (tmp_path / "postgres").mkdir()
        with pytest.raises(CannotStart, match=r"secrets.json is missing, but there are data"):
            folder.secrets()
        (tmp_path / "secrets.json").write_text('{"MUSTER_SECRET": ')
        with pytest.raises(CannotStart, match=r"secrets.json is not complete"):
            folder.secrets()


def test_gives_the_same_ports_unless_they_are_taken(tmp_path: Path) -> None:
    with held(tmp_path) as folder:
        first = folder.ports("database", "redis")
        assert folder.ports("database", "redis") == first
        with socket.create_server(("127.0.0.1", first["redis"])):
            second = folder.ports("database", "redis")
        assert second["database"] == first["database"]
        assert second["redis"] != first["redis"]


def test_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path) as folder:
        folder.sign("http://here")
        with pytest.raises(CannotStart, match=rf"process {os.getpid()}, http://here\).*--data"), held(tmp_path):
            pass
    with held(tmp_path):
        pass


def test_keeps_the_logs_of_the_last_run(tmp_path: Path) -> None:
    with held(tmp_path) as folder:
        (folder.logs / "api.log").write_text("before")
    with held(tmp_path) as folder:
        assert [log.name for log in folder.logs.iterdir()] == ["api.log.1"]


def test_says_that_there_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    for path in (tmp_path / "data", tmp_path / "data" / "below"):
        with pytest.raises(CannotStart, match=r"there is a file of that name.*--data"), held(path):
            pass


@contextmanager
def as_nobody() -> Iterator[None]:
    os.setegid(65_534)
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_says_whose_folder_it_is(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    (tmp_path / "data").mkdir()
    for path in (tmp_path / "data", tmp_path / "none"):
        with (
            as_nobody(),
            pytest.raises(CannotStart, match=r"it belongs to root and you are nobody.*--data"),
            held(path),
        ):
            pass


def test_says_that_the_disk_can_only_be_read() -> None:
    with pytest.raises(CannotStart, match="--data"), held(Path("/proc/muster")):
        pass


def test_says_that_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafolder, "LEAST_FREE_MB", 10**12)
    with pytest.raises(CannotStart, match=r"Only \d+ MB are free"), held(tmp_path):
        pass


def test_waits_for_what_an_earlier_run_has_left(tmp_path: Path) -> None:
    with held(tmp_path):
        pass
    lock = tmp_path / "run" / "api.lock"
    with (
        subprocess.Popen(["flock", lock, "-c", "echo; exec sleep 0.3"], stdout=subprocess.PIPE) as left,
    ):
        assert left.stdout
        left.stdout.readline()
        with held(tmp_path):
            assert left.wait(5) == 0
