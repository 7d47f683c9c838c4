"""What commands of the operator at the console share: settings, progress with an estimate, and plain words when it fails."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import click
import msgspec
from msgspec.structs import fields

from settings import Settings, SettingsRefused, load

__all__ = ["Progress", "as_json", "operate", "refuse"]

TELLS_EVERY_SECONDS: Final = 1.0
ADVICE: Final = {
    "NoSuchUser": " Name a user by id or by the address; `muster users list` shows both.",
    "NoSuchReadModel": " `muster projections` shows them by their names.",
    "NoSuchParkedEvent": " `muster projections parked` shows all that are.",
    "NoSuchInvitation": " `muster users invitations` shows those that are open.",
    "NoSuchDelivery": " `muster deliveries` shows them by their ids.",
    "NoSuchSession": " `muster sessions list USER` shows those of a user.",
}


def as_json(value: Any) -> str:
    """As the API would answer it."""
    return msgspec.json.encode(value).decode()


class Progress:
    """Tells on standard error how far long work is, how fast it goes and when it will be done."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._begun = self._told = time.monotonic()

    def at(self, done: int) -> None:
        """So much is done; told once a second at most, and at the end."""
        now = time.monotonic()
        if now - self._told < TELLS_EVERY_SECONDS and done < self._total:
            return
        self._told = now
        rate = done / (now - self._begun) if now > self._begun else 0.0
        left = f", {(self._total - done) / rate:.0f} s left" if rate and done < self._total else ""
        click.echo(f"{done:,} of {self._total:,} {self._what}, {rate:,.0f} a second{left}", err=True)


def operate(name: str, work: Callable[[Settings], Coroutine[Any, Any, str | None]]) -> None:
    """Do it with the settings of the environment, print what it returns, and say plainly what went wrong."""
    from commands.errors import Refused
    from events.codec import SealBroken
    from events.connections import TROUBLE
    from events.errors import StoreUnavailable
    from projections.parking import ViewParked
    from projections.positions import ViewBehind

    try:
        settings = load(_environment())
    except SettingsRefused as refusal:
        refuse(str(refusal))
    try:
        told = asyncio.run(work(settings))
    except Refused as refusal:
        refuse(f"{name}: {refusal}{ADVICE.get(type(refusal).__name__, '')}")
    except (StoreUnavailable, SealBroken, ViewBehind, ViewParked) as error:
        refuse(f"{name}: {error}", 1)
    except BrokenPipeError:  # whoever was reading has seen enough
        raise
    except TROUBLE as error:
        refuse(f"{name}: the database does not take it: {error or type(error).__name__}", 1)
    if told is not None:
        click.echo(told)


def _environment() -> Mapping[str, str]:
    """That of this process or, where it names neither a database nor a key, that of the `muster up` of the data folder."""
    if any(os.environ.get(name) for name in ("MUSTER_DATABASE_URL", "MUSTER_MASTER_KEY", "MUSTER_SECRET")):
        return os.environ
    from api.datafolder import ENVIRONMENT

    folder = Path(
        os.environ.get("MUSTER_DATA") or next(field.default for field in fields(Settings) if field.name == "data")
    )
    try:
        kept: dict[str, str] = json.loads((folder / ENVIRONMENT).read_text("utf-8"))
    except (OSError, ValueError):
        return os.environ
    return kept | os.environ


def refuse(reason: str, code: int = 2) -> NoReturn:
    """Say on standard error why it was not done, and end: 2 where something must be changed first, 1 where it failed."""
    click.echo(reason, err=True)
    sys.exit(code)
