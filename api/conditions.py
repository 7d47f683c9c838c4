"""What a request demands of the state it meets: versions (RFC 9110 section 13), positions, and how long it will wait."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from litestar.params import HeaderParameter
from msgspec import Struct

from api.caller import Caller
from api.reasons import FieldError, InvalidParameters, StaleVersion
from commands.handler import Command
from commands.unit import Unit
from queries.users import VIEW

__all__ = [
    "GREATEST",
    "Demand",
    "IfMatch",
    "IfNoneMatch",
    "MinPosition",
    "Prefer",
    "PreferDryRun",
    "demand",
    "etag",
    "matches",
    "only_at",
    "preferences",
    "user_etag",
    "wanted_versions",
]

LONGEST_WAIT_SECONDS: Final = 30
USUAL_WAIT_SECONDS: Final = 1
GREATEST: Final = 2**63 - 1
TABLE: Final = int(VIEW.rpartition("_v")[2])
R = TypeVar("R")

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag of the view that this is decided on, or its version alone; 412 when it is stale.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", description="ETags of what is known already; 304 for one of them."),
]
MinPosition = Annotated[
    str | None,
    HeaderParameter(
        name="Min-Position",
        schema_extra={"pattern": "^[0-9]{1,19}$"},
        description="The position that the view must have reached, as a command answered it in Event-Position.",
    ),
]
Prefer = Annotated[
    str | None, HeaderParameter(name="Prefer", description="`wait=N`: wait N seconds, at most 30, for Min-Position.")
]

PreferDryRun = Annotated[
    str | None,
    HeaderParameter(
        name="Prefer",
        description="`dry-run`: tell what would be recorded, and record nothing. For those who may see it.",
    ),
]

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_POSITION: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_VERSION: Final = re.compile(r'"([0-9]{1,18})(?:\.[^"]*)?"')
_WAIT: Final = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?', re.ASCII)


def etag(version: int, table: int = 1, audience: str = "") -> str:
    """A strong tag: the stream's version, the table's, and for whose eyes the answer was made."""
    return f'"{version}.{table}.{audience}"'


def user_etag(version: int, caller: Caller | None, *moments: datetime | None) -> str:
    """Tells apart what those see who may read everyone from what people see of themselves.

    An answer that shows a user needs more than the version: when they were last seen is no matter of it, and in a log that
    was restored versions come again. So it tells the `moments`, when the user last changed and was last seen.
    """
    audience = "all" if caller is not None and caller.may("users:read") else "own"
    told = (f".{int(at.timestamp() * 1000):x}" for at in moments if at is not None)
    return etag(version, TABLE, audience + "".join(told))


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the asker has this already (RFC 9110 section 13.1.2, weak comparison)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in (found.removeprefix("W/") for found in _TAG.findall(if_none_match))


class Demand(Struct, frozen=True):
    """The position that a view must have reached, and how long its asker will wait for it."""

    position: int = 0
    wait: float = USUAL_WAIT_SECONDS
    applied: Mapping[str, str] = {}


_NO_DEMAND: Final = Demand()


def preferences(prefer: Iterable[str]) -> list[str]:
    """Each preference of Prefer headers (RFC 7240), in lower case and without its parameters."""
    return [one.partition(";")[0].strip().lower() for value in prefer for one in value.split(",")]


def demand(min_position: str | None, prefer: str | None) -> Demand:
    """What Min-Position and `Prefer: wait=N` (RFC 7240) ask for. Raises `InvalidParameters` for what is no position."""
    if min_position is None:
        return _NO_DEMAND
    if not _POSITION.fullmatch(min_position) or int(min_position) > GREATEST:
        raise InvalidParameters(errors=[FieldError(parameter="Min-Position", detail="This is not a position.")])
    for preference in preferences([prefer or ""]):
        if found := _WAIT.fullmatch(preference):
            seconds = min(int(found[1]), LONGEST_WAIT_SECONDS)
            return Demand(int(min_position), seconds, {"Preference-Applied": f"wait={seconds}"})
    return Demand(int(min_position))


def wanted_versions(if_match: str | None) -> frozenset[int] | None:
    """The versions of the stream that If-Match names, alone or as the beginning of a view's ETag; None for any.

    Tags of another form are nobody's, and weak ones never match (RFC 9110 section 13.1.1).
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = (_VERSION.fullmatch(tag) for tag in _TAG.findall(if_match))
    return frozenset(int(version[1]) for version in found if version)


class _OnlyAt:
    """A command that is refused when the stream is at another version than its asker believes."""

    def __init__(self, command: Command[Any], stream_id: UUID, versions: frozenset[int]) -> None:
        self.command = command
        self.stream_id = stream_id
        self.versions = versions

    async def perform(self, unit: Unit) -> Any:
        """Perform it; what it has read is compared, and is expected to be so still when it is recorded."""
        result = await self.command.perform(unit)
        if unit.expected.get(self.stream_id, 0) not in self.versions:
            raise StaleVersion
        return result


@cache
def _like(command: type[Command[Any]]) -> type[_OnlyAt]:
    """The log names a command by its class."""
    return type(command.__name__, (_OnlyAt,), {})


def only_at(command: Command[R], stream_id: UUID, if_match: str | None) -> Command[R]:
    """The command, refused with `StaleVersion` unless the stream that it reads is at a version that If-Match names."""
    versions = wanted_versions(if_match)
    return command if versions is None else _like(type(command))(command, stream_id, versions)
