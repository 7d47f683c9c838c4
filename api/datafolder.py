"""The folder in which `muster up` keeps everything, held by one `muster up` at a time."""

import base64
import errno
import json
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.ports import free_port
from api.processes import CannotStart, claim, make_folders, wait_for_claim

__all__ = ["ENVIRONMENT", "DataFolder", "held"]

ENVIRONMENT = "environment.json"
LEAST_FREE_MB = 150
SECRETS = {"MUSTER_MASTER_KEY", "MUSTER_SECRET", "superuser_password", "owner_password", "valkey_password"}
WHY_SECRETS = "It holds the keys of the personal data and the servers' passwords; no other will do."


class DataFolder:
    """A data folder that this process holds."""

    def __init__(self, path: Path, holder: int) -> None:
        self.path = path
        self.mail = path / "mail"
        self.logs = path / "logs"
        self._holder = holder

    def secrets(self) -> dict[str, str]:
        """The keys and passwords of this folder; made at random the first time, readable by the owner only.

        Raises `CannotStart` when they are lost while there are data: without them the data cannot be read.
        """
        file = self.path / "secrets.json"
        if file.exists():
            with _told(file):
                text = file.read_text()
            try:
                kept = {str(name): str(value) for name, value in json.loads(text).items()}
            except (ValueError, AttributeError):
                kept = {}
            if kept.keys() >= SECRETS:
                return kept
            raise CannotStart(f"{file} is not complete: bring it back from a copy. {WHY_SECRETS}")
        if (self.path / "postgres").exists():
            raise CannotStart(
                f"{file} is missing, but there are data: bring it back from a copy, or choose another folder with "
                f"--data. {WHY_SECRETS}"
            )
        made = {name: _key() if name.startswith("MUSTER_") else secrets.token_urlsafe(24) for name in SECRETS}
        self._write(file, made)
        return made

    def ports(self, *names: str) -> dict[str, int]:
        """A free port for each name, the same as last time unless another program has it now."""
        file = self.path / "ports.json"
        try:
            before = json.loads(file.read_text())
        except (FileNotFoundError, ValueError):
            before = {}
        chosen: dict[str, int] = {}
        for name in names:
            port = free_port(before.get(name))
            while port in chosen.values():
                port = free_port()
            chosen[name] = port
        if chosen != before:
            self._write(file, before | chosen)
        return chosen

    def keep_environment(self, environment: dict[str, str]) -> None:
        """Let operators' commands work on what runs here without settings of their own."""
        self._write(self.path / ENVIRONMENT, environment)

    def sign(self, api: str = "which is starting") -> None:
        """Let a second `muster up` on this folder say who holds it."""
        os.ftruncate(self._holder, 0)
        os.pwrite(self._holder, f"process {os.getpid()}, {api}\n".encode(), 0)

    def _write(self, file: Path, content: dict[str, str] | dict[str, int]) -> None:
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        with _told(file), open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(content, out, indent=2)
            out.flush()
            os.fsync(out.fileno())
            new.rename(file)


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@contextmanager
def held(path: Path) -> Iterator[DataFolder]:
    """The data folder, made if need be, while no other `muster up` has it and all that an earlier one left has ended.

    Raises `CannotStart` with what to do.
    """
    path = path.absolute()
    with _told(path):
        make_folders(path)
        holder = claim(path / "up.lock")
    if holder is None:
        who = (path / "up.lock").read_text().strip()
        raise CannotStart(
            f"Another `muster up` uses the data folder {path} ({who}). Use that one, stop it (Ctrl-C where it runs, or "
            "`kill` with its number), or choose another folder with --data."
        )
    folder = DataFolder(path, holder)
    try:
        folder.sign()
        _check_space(path)
        with _told(path):
            for lock in sorted((path / "run").glob("*.lock")):
                os.close(wait_for_claim(lock, 30))
            for log in (path / "logs").glob("*.log"):
                log.replace(log.with_suffix(".log.1"))
        yield folder
    finally:
        os.ftruncate(holder, 0)
        os.close(holder)


def _check_space(path: Path) -> None:
    if (free := shutil.disk_usage(path).free // 1_000_000) < LEAST_FREE_MB:
        raise CannotStart(
            f"Only {free} MB are free where {path} is, and Muster wants {LEAST_FREE_MB}: make room, or choose a folder "
            "on another disk with --data."
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what the system says of a file into what the user can do."""
    try:
        yield
    except OSError as error:
        place = Path(os.fsdecode(error.filename)) if error.filename else path
        match error.errno:
            case errno.EACCES | errno.EPERM:
                owner, you = _owner(place), _name(os.geteuid())
                remedy = (
                    "its permissions do not let you. Give yourself all of them (chmod u+rwX), or"
                    if owner == you
                    else f"it belongs to {owner} and you are {you}. Run `muster up` as that user, or"
                )
            case errno.ENOTDIR | errno.EEXIST:
                remedy = "there is a file of that name. Move it away, or"
            case errno.EROFS:
                remedy = "that disk can only be read. You can"
            case errno.ENOSPC | errno.EDQUOT:
                remedy = "the disk is full. Make room, or"
            case _:
                remedy = f"the system says: {error.strerror}. You can"
        raise CannotStart(
            f"The data folder {path} cannot be used: {place}: {remedy} choose another folder with --data."
        ) from None


def _owner(path: Path) -> str:
    while True:
        try:
            return _name(path.stat().st_uid)
        except OSError:
            if path == path.parent:
                return "another user"
            path = path.parent


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
