"""Makes of what was generated what someone could ask who has been here before: real ids, passwords, tokens, versions.

What is put in follows from what was generated, so that the same case is asked again alike while nothing new is known.
Nothing is put where Schemathesis made something wrong on purpose.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final
from zlib import crc32

from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from tests.fuzz.known import ENDLESS, Known

__all__ = ["enliven"]

CANDIDATES: Final = 8
OTHERS: Final = {"user_id": "session_id", "session_id": "user_id"}
IN_ONES_OWN_SESSION: Final = "/step-up"
ONES_OWN: Final = ("/totp", "/passkeys", "/recovery-codes")


def enliven(case: Case[Any], known: Known) -> None:
    """Put what is known into a case, more often than not."""
    # Nobody waits for the end of what has none.
    if case.operation.path == ENDLESS and str((case.query or {}).get("follow", True)).lower() == "true":
        case.query = {**(case.query or {}), "follow": False}
    if case.meta is None:
        return  # a question that a check asks beside the cases
    content = repr((case.operation.label, case.path_parameters, case.query, case.body)).encode()
    chance = Random(crc32(content))
    if _is_right(case, ParameterLocation.PATH):
        _path(case, known, chance)
    if _is_right(case, ParameterLocation.QUERY):
        _query(case, known, chance)
    if _is_right(case, ParameterLocation.HEADER):
        _headers(case, known, chance, crc32(content + str(case.path_parameters).encode()))
    if _is_right(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        _body(case, known, chance)


def _is_right(case: Case[Any], location: ParameterLocation) -> bool:
    assert case.meta is not None
    component = case.meta.components.get(location)
    return component is None or component.mode.is_positive


def _path(case: Case[Any], known: Known, chance: Random) -> None:
    path = case.path_parameters or {}
    if "user_id" in path and not _is_linked(case, path["user_id"], known.users) and chance.random() < 0.9:
        path["user_id"] = known.own if _is_ones_own(case, known) and chance.random() < 0.8 else known.user(chance)
    sessions = known.told["session_id"]
    if "session_id" in path and not _is_linked(case, path["session_id"], sessions) and chance.random() < 0.7:
        path["session_id"] = known.one("session_id", chance)
    if case.operation.path.endswith(IN_ONES_OWN_SESSION) and known.own_session and chance.random() < 0.9:
        path["session_id"] = known.own_session
    for name in {"delivery_id", "key_id", "invitation_id", "position"} & path.keys():
        if not _is_linked(case, path[name], known.told[name]) and chance.random() < 0.8:
            path[name] = known.one(name, chance) or path[name]
    if "key_id" in path and chance.random() < 0.9:
        path["user_id"] = known.owners.get(path["key_id"], path["user_id"])
    if chance.random() < 0.03:  # what has an id, but is something else
        path.update({name: known.one(other, chance) for name, other in OTHERS.items() if name in path})


def _is_ones_own(case: Case[Any], known: Known) -> bool:
    """Whether it is about second factors, which nobody sees or changes but their holder."""
    return bool(known.own) and any(word in case.operation.path for word in ONES_OWN)


def _often(case: Case[Any]) -> float:
    """Who signs in is mostly there already; who registers should often not be."""
    return 0.9 if case.operation.path == "/v1/sessions" else 0.5


def _is_linked(case: Case[Any], value: object, known: Sequence[str]) -> bool:
    """Whether a value was taken from an answer before, which is what the stateful phase is about."""
    return case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL and value in known


def _query(case: Case[Any], known: Known, chance: Random) -> None:
    if "cursor" in (case.query or {}):
        cursor = known.one(f"cursor {case.operation.path}", chance)
        if cursor is not None and chance.random() < 0.8:
            case.query["cursor"] = cursor


def _headers(case: Case[Any], known: Known, chance: Random, content: int) -> None:
    headers: Any = case.headers or {}
    if "Min-Position" in headers and chance.random() < 0.98:  # a position that is yet to come is waited for
        headers["Min-Position"] = str(int(headers["Min-Position"]) % (known.position + 1))
    if "Idempotency-Key" in headers and chance.random() < 0.9:
        headers["Idempotency-Key"] = f"{headers['Idempotency-Key'][:200]}{content}"
    if "Prefer" in headers and chance.random() < 0.5:
        headers["Prefer"] = "wait=1" if case.operation.method == "get" else "dry-run"
    tag = known.etags.get(str((case.path_parameters or {}).get("user_id")))
    for name in {"If-Match", "If-None-Match"} & headers.keys():
        if tag is not None and chance.random() < 0.8:
            headers[name] = tag


def _body(case: Case[Any], known: Known, chance: Random) -> None:
    body: Any = case.body
    path = case.path_parameters or {}
    user_id = known.own if case.operation.path.endswith(IN_ONES_OWN_SESSION) else str(path.get("user_id"))
    if user_id not in known.users:
        user_id = known.user(chance)
    if "email" in body and "password" in body and "user_id" not in path and chance.random() < _often(case):
        body["email"], body["password"] = known.account(chance)
    elif "password" in body and user_id in known.passwords and "token" not in body and chance.random() < 0.8:
        body["password"] = known.passwords[user_id]
    elif body.keys() == {"email"} and chance.random() < 0.7:
        body["email"] = known.account(chance)[0]
    if "token" in body and chance.random() < 0.8:
        _token(case, user_id, known, chance)
    if "refresh_token" in body and chance.random() < 0.8:
        body["refresh_token"] = known.one("refresh_token", chance) or body["refresh_token"]


def _token(case: Case[Any], user_id: str, known: Known, chance: Random) -> None:
    """A link that was mailed to whom the case is about, or to somebody whom it is then about."""
    others: list[str] = []
    if chance.random() < 0.8:
        # Whoever was settled here is in a state for which there is a link; of all others, some may be.
        others = [*chance.sample(known.users, min(len(known.users), CANDIDATES)), *known.settled]
    found = known.link([user_id, *others], case.operation.path, chance)
    if found is not None:
        body: Any = case.body
        owner, body["token"] = found
        path = case.path_parameters or {}
        if "user_id" in path and not _is_linked(case, path["user_id"], known.users):
            path["user_id"] = owner
