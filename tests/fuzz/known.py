"""What is known of a Muster from its answers so far, and what only whoever tests it knows: passwords and mails."""

import base64
import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from schemathesis import Case, Response

from api.onwards import IDS
from commands.user import fold
from events.keys import derived
from events.store import read_stream
from projections.reactions.mails import MAILS, SLOTS, Links, Obsolete, Owed
from tests.api.site import Person
from tests.fuzz.house import House

__all__ = ["ENDLESS", "Known"]

ENDLESS: Final = "/v1/events/stream"
"""The log as it happens. Its position is where it was asked to begin, and may be yet to come."""

NEWEST: Final = 12
"""How many of the things that were told last are asked for again; what is older has often ended."""


class Known:
    """Ids, sessions, tokens, cursors and versions, by the names that the API has for them."""

    def __init__(self, house: House) -> None:
        self.own = ""
        self.own_session = ""
        self.users: list[str] = []
        self.settled: list[str] = []
        self.promised: set[str] = set()
        self.emails: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        self.told: defaultdict[str, list[str]] = defaultdict(list)
        self.etags: dict[str, str] = {}
        self.owners: dict[str, str] = {}
        self.position = 0
        self.secrets: set[str] = set()
        self._house = house
        self._links = Links(house.url, derived(house.site.database.secret, "links"))

    def meet(self, person: Person, password: str) -> None:
        """Know someone, and how they sign in."""
        user_id = str(person.id)
        self._user(user_id)
        self.emails[user_id], self.passwords[user_id] = person.email, password
        self.told["session_id"].append(person.session_id)
        self.told["refresh_token"].append(person.tokens["refresh_token"])
        self.secrets |= {password, person.tokens["access_token"], person.tokens["refresh_token"]}

    def learn(self, case: Case[Any], response: Response) -> None:
        """Take from an answer what can be asked with next, and from what was asked what is true since."""
        sent = case.body if isinstance(case.body, dict) else {}
        self.secrets |= {
            value
            for name, value in sent.items()
            if isinstance(value, str) and name.endswith(("password", "token", "challenge")) and len(value) >= 12
        }
        if not 200 <= response.status_code < 300:
            return
        if (position := response.headers.get("event-position")) and case.operation.path != ENDLESS:
            self.position = max(self.position, int(position[0]))
        user_id = str((case.path_parameters or {}).get("user_id", ""))
        of_the_user = "key_id" not in (case.path_parameters or {})
        if (tag := response.headers.get("etag")) and user_id and of_the_user:
            self.etags[user_id] = tag[0]
        keys = len(self.told["key_id"])
        made = self._listen(case.operation.path, response)
        self.owners |= dict.fromkeys(self.told["key_id"][keys:], user_id)
        if isinstance(password := sent.get("new_password", sent.get("password")), str):
            owner = made or user_id or _owner(sent.get("token"))
            if owner and "email" not in case.operation.path:
                self.passwords[owner] = password
        if made and isinstance(email := sent.get("email"), str):
            self.emails[made] = email

    def _listen(self, path: str, response: Response) -> str:
        """Keep what an answer tells; the id of the user whom it made, if it did."""
        try:
            answer = json.loads(response.content)
        except ValueError:
            return ""
        kind = IDS.get(next(part for part in reversed(path.split("/")) if "{" not in part), "")
        made = ""
        for name, value in _texts(answer):
            what = kind if name == "id" else name
            if what == "user_id":
                self._user(value)
                made = value
            elif what in ("session_id", "delivery_id", "key_id", "invitation_id", "refresh_token"):
                self.told[what].append(value)
            elif what == "next":
                self.told[f"cursor {path}"].append(value)
            if what in ("access_token", "refresh_token", "secret", "uri", "key"):
                self.secrets.add(value)
        if response.status_code == 202:
            self.promised.add(made)
        return made if response.status_code in (201, 202) else ""

    def _user(self, user_id: str) -> None:
        if user_id not in self.users:
            self.users.append(user_id)
            self.told["user_id"].append(user_id)

    def user(self, chance: Random) -> str:
        """Someone, often whoever asks."""
        if self.own and chance.random() < 0.4:
            return self.own
        return chance.choice(self.users[-NEWEST:] + self.users[:NEWEST])

    def account(self, chance: Random) -> tuple[str, str]:
        """An address, and the password that belongs to it."""
        user_id = chance.choice([*self.passwords])
        return self.emails.get(user_id, "ada@example.com"), self.passwords[user_id]

    def one(self, what: str, chance: Random) -> str | None:
        """One of the things of this name that were told."""
        return chance.choice(self.told[what][-NEWEST:]) if self.told[what] else None

    def link(self, users: Iterable[str], path: str, chance: Random) -> tuple[str, str] | None:
        """Someone, and the token of a mail to them about what is done at a path, good still; or another one, or none."""
        words = set(path.replace("-", "/").replace("erase", "erasure").split("/"))
        for user_id in users:
            good = self._house.done(self._mailed(UUID(user_id)))
            self.secrets |= {token for _, token in good}
            self.told["token"] += [token for _, token in good]
            for page, token in good:
                if len(words & page) * 2 > len(page):
                    return user_id, token
        token = self.one("token", chance)
        return None if token is None else (_owner(token), token)

    async def _mailed(self, user_id: UUID) -> list[tuple[set[str], str]]:
        """The links of mails that would be sent to a user now: the words of the page to which one leads, and its token."""
        site = self._house.site
        history = await read_stream(site.app.process.writer, site.database.keys, user_id)
        user, now = fold(history), datetime.now(UTC)
        found = []
        for recorded in reversed(history):
            if slot := SLOTS.get(type(recorded.event)):
                with contextlib.suppress(Obsolete, AssertionError):  # of those who were forgotten
                    values = MAILS[slot].write(self._links, Owed(user, user, recorded, now)).values
                    if "token" in values:
                        page = urlsplit(values["link"]).path.strip("/")
                        found.append((set(page.split("-")), values["token"]))
        return found


def _owner(token: Any) -> str:
    """Whose link it is."""
    try:
        return str(UUID(bytes=base64.urlsafe_b64decode(f"{token}==")[:16]))
    except ValueError:
        return ""


def _texts(answer: Any) -> Iterator[tuple[str, str]]:
    """Everything in an answer that has a name and is text."""
    if isinstance(answer, list):
        for item in answer:
            yield from _texts(item)
    elif isinstance(answer, dict):
        for name, value in answer.items():
            if isinstance(value, str):
                yield name, value
            elif name != "actor":  # its id says nothing of what the answer is about
                yield from _texts(value)
