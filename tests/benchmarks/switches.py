"""Parts of an API process that can be taken out and put back while it runs, so that the cost ledger tells what each takes."""

import signal
from types import FrameType
from typing import Any, Final

import api.asking
import commands.register_user
from api.even_answers import EvenAnswers
from api.limits import Limits, Told
from api.metrics import Metrics
from api.request_log import RequestLog
from api.requests import Surrounding
from api.server import PunctualProtocol
from commands.unit import Unit
from commands.user import NOBODY, User
from events.keys import DataKey, LocalMasterKey
from tests.benchmarks.hashers import HandingHasher, PlainHasher

__all__ = ["PARTS", "signal_of", "switched_by_signals"]


def _accepted(password: str, **_known: str) -> str:
    return password


def _nothing(*_given: Any, **_named: Any) -> Any:
    return None


async def _nobody(*_given: Any) -> None:
    return None


async def _no_user(*_given: Any) -> User:
    return NOBODY


async def _uncounted(*_given: Any, **_named: Any) -> list[Told]:
    return []


async def _unsurrounded(self: Surrounding, scope: Any, receive: Any, send: Any) -> None:
    scope["user"] = None
    await self._app(scope, receive, send)


def _unsealed(_key: DataKey, plain: bytes, _place: bytes) -> bytes:
    return bytes(12) + plain + bytes(16)


def _unwrapped(_key: LocalMasterKey, key: bytes, _key_id: object) -> bytes:
    return bytes(12) + key + bytes(16)


PARTS: Final[dict[str, tuple[tuple[Any, str, Any], ...]]] = {
    "what surrounds a request": ((Surrounding, "__call__", _unsurrounded),),
    "log": ((RequestLog, "note", _nothing),),
    "metrics": ((Metrics, "request", _nothing), (Metrics, "command", _nothing), (Metrics, "commit", _nothing)),
    "guessing": ((commands.register_user, "acceptable", _accepted),),
    "sealing": ((DataKey, "seal", _unsealed), (LocalMasterKey, "wrap", _unwrapped)),
    "whence": ((api.asking, "Client", _nothing),),
    "limits": ((Limits, "count", _uncounted),),
    "even answers": ((EvenAnswers, "point", _nobody),),
    "reads": ((Unit, "owner", _nobody), (Unit, "user", _no_user)),
    "claims": ((Unit, "claim", _nothing),),
    "deadlines": ((PunctualProtocol, "_arm", _nothing), (PunctualProtocol, "_disarm", _nothing)),
    "handing over": ((PlainHasher, "hash", HandingHasher.hash),),
}
"""What stands in for what while a part is out, by its name. "handing over" is in when it is out."""


def signal_of(part: str) -> int:
    """The signal at which a process takes this part out, and at the next puts it back."""
    return signal.SIGRTMIN + list(PARTS).index(part)


def switched_by_signals() -> None:
    """Let signals switch the parts of this process."""
    kept = {part: [(owner, name, stand_in) for owner, name, stand_in in PARTS[part]] for part in PARTS}

    def switch(number: int, _frame: FrameType | None) -> None:
        part = list(PARTS)[number - signal.SIGRTMIN]
        for index, (owner, name, other) in enumerate(kept[part]):
            kept[part][index] = (owner, name, vars(owner)[name])
            setattr(owner, name, other)

    for part in PARTS:
        signal.signal(signal_of(part), switch)
        signal.siginterrupt(signal_of(part), False)
