"""Tells how far a rebuild or a comparison is, while somebody looks on."""

import sys
import time
from collections.abc import Callable
from typing import Final

import click

__all__ = ["Meter"]

TELLS_EVERY_SECONDS: Final = 1.0
ON_A_TERMINAL_SECONDS: Final = 0.1


class Meter:
    """Tells on standard error how work comes on: on a terminal in one line that is kept up to date, else now and then anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._terminal = sys.stderr.isatty()
        self._begun = self._told = clock()
        self._state = ""
        self._width = 0

    def at(self, state: str, done: int, total: int) -> None:
        """It is in this state, with so much done."""
        now = self._clock()
        if state != self._state:
            self.end()
        elif now - self._told < (ON_A_TERMINAL_SECONDS if self._terminal else TELLS_EVERY_SECONDS):
            return
        self._state, self._told = state, now
        rate = done / (now - self._begun) if now > self._begun else 0.0
        line = f"{state}: {done:,} of {total:,} events"
        if state == "building" and rate:
            line += f", {rate:,.0f} a second, {max(total - done, 0) / rate:.0f} s left"
        self._write(line)

    def keys(self, done: int) -> None:
        """So many keys were compared."""
        now = self._clock()
        if now - self._told >= (ON_A_TERMINAL_SECONDS if self._terminal else TELLS_EVERY_SECONDS):
            self._told = now
            self._write(f"{done:,} keys compared, {done / (now - self._begun):,.0f} a second")

    def _write(self, line: str) -> None:
        if self._terminal:
            click.echo("\r" + line.ljust(self._width), nl=False, err=True)
            self._width = len(line)
        else:
            click.echo(line, err=True)

    def end(self) -> None:
        """What comes next stands on a line of its own."""
        if self._terminal and self._width:
            click.echo(err=True)
            self._width = 0
