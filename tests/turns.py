"""Whose turn it is, when several processes run tests: those that measure time (`quiet`) run while no other test does."""

import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

__all__ = ["Turns", "take_part"]

LONGEST_FIRST: Final = ("fuzz", "docs", "worker", "survival", "up", "hostile")
"""What starts processes and asks much of them; begun last, it would have a process run on while the others are done."""


class Turns:
    """The turns of one process among those that were given the same folder."""

    def __init__(self, folder: Path) -> None:
        self._door = os.open(folder / "door", os.O_CREAT | os.O_RDWR)
        self._room = os.open(folder / "room", os.O_CREAT | os.O_RDWR)
        self._alone = False

    def take(self, *, alone: bool) -> None:
        """Wait for a turn: with others, or alone. While someone waits to be alone, nobody else gets in."""
        if self._alone:
            return
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._alone = alone
        if not alone:
            fcntl.flock(self._door, fcntl.LOCK_UN)

    def give_up(self) -> None:
        """Let others have theirs."""
        self._alone = False
        fcntl.flock(self._room, fcntl.LOCK_UN)
        fcntl.flock(self._door, fcntl.LOCK_UN)


def _is_quiet(item: pytest.Item | None) -> bool:
    return item is not None and item.get_closest_marker("quiet") is not None


class InTurns:
    """The plugin of a process that runs tests beside others."""

    def __init__(self, folder: Path) -> None:
        self._turns = Turns(folder)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        """Outermost, so that waiting counts towards no test's timeout; tests that follow each other share a turn alone."""
        self._turns.take(alone=_is_quiet(item))
        try:
            return (yield)
        finally:
            if not (_is_quiet(item) and _is_quiet(nextitem)):
                self._turns.give_up()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Files are given out in this order; those of a file that run alone stand together, since waiting for it takes time."""
        root = config.rootpath / "tests"
        files = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}

        def order(item: pytest.Item) -> tuple[int, int, bool]:
            folder = item.path.relative_to(root).parts[0]
            place = LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)
            return place, files[item.path], _is_quiet(item)

        items.sort(key=order)


def take_part(config: pytest.Config) -> None:
    """Register what a process needs that runs tests beside others; those of another run in this folder are others, too."""
    if hasattr(config, "workerinput") and (cache := config.cache) is not None:
        config.pluginmanager.register(InTurns(cache.mkdir("turns")))
