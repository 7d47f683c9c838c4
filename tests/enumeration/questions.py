"""What an attacker asks about addresses, and the kinds of addresses that must not be told apart by it."""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct
from uuid_utils.compat import uuid7

from tests.enumeration.attackers import USES as USES_OF_ATTACKERS
from tests.enumeration.attackers import Attackers
from tests.enumeration.people import PASSWORD, WRONG_PASSWORD, People, Person, new_email
from tests.enumeration.wire import Wire, request

__all__ = ["QUESTIONS", "UNKNOWN", "Question"]

UNKNOWN: Final = "unknown"
"""The kind that every other is compared with: an address that was never in the registry."""
USES: Final = 4
"""How often one address is asked about: too seldom to be refused or locked for it."""
USES_OF_REGISTRATION: Final = 8
"""The same where more is allowed: the owner is mailed five times, and then no more."""
SPARE: Final = 100
"""How many people there are beyond those whom all askings together need, since each asks about a few at least.

Where little is asked, as in tests, no more of them than there are askings.
"""
SELDOM: Final = 10
"""How many times as often the kinds of the goal are asked about as the others."""
FEWEST: Final = 20
"""How often any kind is asked about at least: of fewer, nothing can be said."""


async def _nothing(_wire: Wire) -> None:
    """Most questions need nothing before they are asked."""


class Question(Struct, frozen=True):
    """A question and, for each kind of address, requests without end; `ready` must have been awaited lately.

    What the goal does not name is `beside`, and asked about more seldom.
    """

    name: str
    kinds: dict[str, Iterator[bytes]]
    ready: Callable[[Wire], Awaitable[None]] = _nothing
    beside: frozenset[str] = frozenset()

    def times(self, kind: str, count: int) -> int:
        """How often a kind is asked about where those of the goal are asked about so many times."""
        return _seldom(count) if kind in self.beside else count


async def _registering(people: People, count: int) -> Question:
    few = -(-count // USES_OF_REGISTRATION)
    return Question(
        "register",
        {
            UNKNOWN: _each(_register, iter(new_email, None)),
            "known": _again(_register, _emails(await people.many(people.known, few))),
            "unverified": _again(_register, _emails(await people.many(people.unverified, few))),
            # Asked about once, these are known.
            "erased": _each(_register, iter(_emails(await people.many(people.erased, count)))),
            "lapsed": _each(_register, iter(_emails(await people.many(people.lapsed, _seldom(count) + _spare(count))))),
        },
        beside=frozenset({"lapsed"}),
    )


async def _signing_in(people: People, count: int) -> Question:
    few, fewer = _people(count)
    with_right, with_wrong = _sign_in(PASSWORD), _sign_in(WRONG_PASSWORD)
    return Question(
        "sign in",
        {
            UNKNOWN: _again(with_right, [new_email() for _ in range(few)]),
            "unknown, locked": _again(with_right, await people.many(people.shut_out, fewer)),
            "known, wrong password": _again(with_wrong, _emails(await people.many(people.known, few))),
            "with a factor, wrong password": _again(with_wrong, _emails(await people.many(people.with_factor, fewer))),
            "locked, right password": _again(with_right, _emails(await people.many(people.locked, fewer))),
            "suspended, right password": _again(with_right, _emails(await people.many(people.suspended, fewer))),
            "unverified, right password": _again(with_right, _emails(await people.many(people.unverified, few))),
            "erased, right password": _again(with_right, _emails(await people.many(people.erased, few))),
            "lapsed, right password": _again(with_right, _emails(await people.many(people.lapsed, fewer))),
        },
        beside=frozenset(
            {
                "unknown, locked",
                "with a factor, wrong password",
                "locked, right password",
                "suspended, right password",
                "lapsed, right password",
            }
        ),
    )


async def _resetting(people: People, count: int) -> Question:
    few, fewer = _people(count)
    return Question(
        "reset",
        {
            UNKNOWN: _again(_reset, [new_email() for _ in range(few)]),
            "known": _again(_reset, _emails(await people.many(people.known, few))),
            "unverified": _again(_reset, _emails(await people.many(people.unverified, few))),
            "suspended": _again(_reset, _emails(await people.many(people.suspended, fewer))),
            "erased": _again(_reset, _emails(await people.many(people.erased, few))),
            "lapsed": _again(_reset, _emails(await people.many(people.lapsed, fewer))),
        },
        beside=frozenset({"suspended", "lapsed"}),
    )


async def _resending(people: People, count: int) -> Question:
    few, fewer = _people(count)
    return Question(
        "resend",
        {
            UNKNOWN: _again(_resend, [str(uuid7()) for _ in range(few)]),
            "known": _again(_resend, _ids(await people.many(people.known, few))),
            "unverified": _again(_resend, _ids(await people.many(people.unverified, few))),
            "erased": _again(_resend, _ids(await people.many(people.erased, few))),
            "lapsed": _again(_resend, _ids(await people.many(people.lapsed, fewer))),
        },
        beside=frozenset({"lapsed"}),
    )


async def _changing(people: People, count: int) -> Question:
    few = -(-count // USES)
    kinds = {UNKNOWN: iter(new_email, None), "known": itertools.cycle(_emails(await people.many(people.known, few)))}
    attackers = Attackers(await people.many(people.known, len(kinds) * count // USES_OF_ATTACKERS + _spare(count)))
    return Question(
        "change address",
        {kind: attackers.asking(emails) for kind, emails in kinds.items()},
        attackers.ready,
        beside=frozenset(kinds),
    )


QUESTIONS: Final[dict[str, Callable[[People, int], Awaitable[Question]]]] = {
    "register": _registering,
    "sign in": _signing_in,
    "reset": _resetting,
    "resend": _resending,
    "change address": _changing,
}
"""Each made with people enough for so many requests of each kind."""


def _people(count: int) -> tuple[int, int]:
    """How many people of a kind so many requests need, and of one that is beside."""
    return -(-count // USES), _seldom(count) // USES + _spare(count)


def _spare(count: int) -> int:
    return min(SPARE, count)


def _seldom(count: int) -> int:
    return min(count, max(FEWEST, count // SELDOM))


def _emails(people: Iterable[Person]) -> list[str]:
    return [person.email for person in people]


def _ids(people: Iterable[Person]) -> list[str]:
    return [str(person.id) for person in people]


def _each(ask: Callable[[str], bytes], about: Iterator[str]) -> Iterator[bytes]:
    return map(ask, about)


def _again(ask: Callable[[str], bytes], about: list[str]) -> Iterator[bytes]:
    return map(ask, itertools.cycle(about))


def _register(email: str) -> bytes:
    return request("POST", "/v1/users", {"email": email, "password": PASSWORD})


def _sign_in(password: str) -> Callable[[str], bytes]:
    return lambda email: request("POST", "/v1/sessions", {"email": email, "password": password})


def _reset(email: str) -> bytes:
    return request("POST", "/v1/password/reset", {"email": email})


def _resend(user_id: str) -> bytes:
    return request("POST", f"/v1/users/{user_id}/email/resend")
