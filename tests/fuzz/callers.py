"""Who asks: nobody, or someone with a role who signs in again, or is replaced, when what they did has ended their session."""

from typing import Any, Final

from schemathesis import Case, Response

from tests.api.site import Person
from tests.fuzz.cast import newcomer
from tests.fuzz.house import House
from tests.fuzz.known import Known

__all__ = ["CALLERS", "Caller"]

CALLERS: Final[dict[str, tuple[str, ...] | None]] = {
    "anonymous": None,
    "user": (),
    "auditor": ("auditor",),
    "analyst": ("analyst",),
    "administrator": ("administrator",),
}


class Caller:
    """One of `CALLERS`."""

    def __init__(self, house: House, known: Known, name: str) -> None:
        self._house = house
        self._known = known
        self._roles = CALLERS[name]
        self._person: Person | None = None
        self._former: set[str] = set()

    @property
    def headers(self) -> dict[str, str]:
        """What proves who they are."""
        if self._roles is None:
            return {}
        if self._person is None:
            self._person = self._house.done(newcomer(self._house, self._known, *self._roles))
            self._known.own, self._known.own_session = str(self._person.id), self._person.session_id
        return self._person.headers

    def still(self, case: Case[Any]) -> None:
        """Let a case that was made when they had another session be asked in the one that they have."""
        if case.headers and case.headers.get("Authorization") in self._former:
            case.headers.update(self.headers)

    def heard(self, response: Response) -> None:
        """Notice when the answer was that the token is good no longer."""
        challenge = response.headers.get("www-authenticate", [""])[0]
        sent = response.request.headers.get("Authorization")
        if self._person and "invalid_token" in challenge and sent == self._person.headers["Authorization"]:
            self._former.add(sent)
            self._person = None

    def provider(self) -> type:
        """For Schemathesis, which makes one of it."""
        caller = self

        class Provider:
            def get(self, _case: Case[Any], _context: Any) -> dict[str, str] | None:
                return caller.headers or None

            def set(self, case: Case[Any], data: dict[str, str], _context: Any) -> None:
                case.headers.update(data)

        return Provider
