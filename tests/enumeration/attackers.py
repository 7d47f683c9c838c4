"""People who have signed in and ask about the addresses of others."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from msgspec import Struct

from tests.enumeration.people import PASSWORD, Person
from tests.enumeration.wire import Wire, request

__all__ = ["USES", "Attackers"]

USES: Final = 5
"""How often one of them asks for another address: so often is a mail sent within the hour."""
AT_HAND: Final = 16
STALE_AFTER_SECONDS: Final = 300
"""Well within the life of an access token."""


class _Ready(Struct, frozen=True):
    user_id: UUID
    token: str
    since: float


class Attackers:
    """They take turns and sign in when theirs comes."""

    def __init__(self, people: list[Person]) -> None:
        self._people = deque(people)
        self._at_hand: deque[_Ready] = deque()
        self._alone = asyncio.Lock()

    async def ready(self, wire: Wire) -> None:
        """Have some at hand who may ask."""
        async with self._alone:
            while self._at_hand and time.monotonic() - self._at_hand[0].since > STALE_AFTER_SECONDS:
                self._at_hand.popleft()
            while len(self._at_hand) < AT_HAND:
                self._at_hand.extend([await self._signed_in(wire)] * USES)

    async def _signed_in(self, wire: Wire) -> _Ready:
        person = self._people.popleft()
        answer = await wire.ask(request("POST", "/v1/sessions", {"email": person.email, "password": PASSWORD}))
        assert answer.status == 201, answer.raw
        token = json.loads(answer.raw.partition(b"\r\n\r\n")[2])["access_token"]
        return _Ready(person.id, token, time.monotonic())

    def asking(self, emails: Iterable[str]) -> Iterator[bytes]:
        """Requests to have these addresses from now on, each by whoever's turn it is."""
        for email in emails:
            attacker = self._at_hand.popleft()
            path = f"/v1/users/{attacker.user_id}/email/change"
            yield request("POST", path, {"email": email, "password": PASSWORD}, attacker.token)
