"""Having a read model built anew."""

from typing import Final

from msgspec import Struct

from commands.errors import NoSuchReadModel, RebuildUnderWay
from commands.unit import Unit
from events.projection import RebuildAsked

__all__ = ["RebuildReadModel"]

_ASK: Final = "SELECT ask_rebuild($1, $2)"
_WOULD_ASK: Final = "SELECT may_rebuild($1, $2)"
_IS_THERE: Final = "SELECT true FROM read_models WHERE name = $1 AND version = $2"


class RebuildReadModel(Struct, frozen=True):
    """Have the table of a read model built anew, beside the one that serves, and let it serve then.

    The workers build it, unless whoever asks does that (`by_workers` false). Who asked for it, and why, is a fact; the rows
    are none: they are the same as before, unless those were wrong.
    """

    name: str
    version: int
    by_workers: bool = True

    def decide(self, *, free: bool | None) -> list[RebuildAsked]:
        """It is asked for. Raises `NoSuchReadModel` for None, and `RebuildUnderWay` where it is not free to be built."""
        if free is None:
            raise NoSuchReadModel
        if not free:
            raise RebuildUnderWay
        return [RebuildAsked(self.name, self.version)]

    async def perform(self, unit: Unit) -> None:
        """Ask, and record that. Raises as `decide`.

        The workers are asked before that is recorded: whatever is answered was done, and what was done is only then not in
        the log when nothing could be recorded any more.
        """
        if not self.by_workers:
            free = await self._answer(unit, _IS_THERE)
        elif unit.rehearsing:
            free = await self._answer(unit, _WOULD_ASK)
        else:
            free = await unit.once(self, lambda: self._answer(unit, _ASK))
        await unit.decisions(self.name)
        unit.record_projection(self.name, None, *self.decide(free=free))

    async def _answer(self, unit: Unit, question: str) -> bool | None:
        answer: bool | None = await unit.pool.fetchval(question, self.name, self.version)
        return answer
