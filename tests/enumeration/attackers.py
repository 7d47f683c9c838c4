"""People who have signed in and ask about the addresses of others."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from typing import Final

from tests.enumeration.people import PASSWORD, Person
from tests.enumeration.wire import Wire, request

__all__ = ["Attackers"]

RENEWED_AFTER_SECONDS: Final = 300
"""Well within the life of an access token."""


class Attackers:
    """Several, who take turns, so that none has a long history; their tokens are renewed while they ask."""

    def __init__(self, people: list[Person]) -> None:
        self._people = people
        self._tokens: list[str] = []
        self._signed_in_at = 0.0
        self._alone = asyncio.Lock()

    async def ready(self, wire: Wire) -> None:
        """Have tokens that live a while longer."""
        async with self._alone:
            if time.monotonic() - self._signed_in_at > RENEWED_AFTER_SECONDS or not self._tokens:
                self._tokens = [await self._signed_in(wire, person) for person in self._people]
                self._signed_in_at = time.monotonic()

    async def _signed_in(self, wire: Wire, person: Person) -> str:
        answer = await wire.ask(request("POST", "/v1/sessions", {"email": person.email, "password": PASSWORD}))
        assert answer.status == 201, answer.raw
        token: str = json.loads(answer.raw.partition(b"\r\n\r\n")[2])["access_token"]
        return token

    def asking(self, emails: Iterator[str]) -> Iterator[bytes]:
        """Requests, by one after the other, to have these addresses from now on."""
        numbers = itertools.count()
        for email in emails:
            number = next(numbers) % len(self._people)
            path = f"/v1/users/{self._people[number].id}/email/change"
            yield request("POST", path, {"email": email, "password": PASSWORD}, self._tokens[number])
