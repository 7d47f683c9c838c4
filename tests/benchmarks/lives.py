"""What people do, as events at their places: encoded, sealed under each person's own data key, with claims and secrets.

A wave is what happens in one transaction: each person's part in it is one command to append.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, claim_key
from commands.refresh_tokens import KIND, Family
from commands.secrets import PASSWORD, Secret
from events.append import Append, ClaimChange, KeyUse, NewEvent, SecretChange
from events.codec import encode, seal_note, write_metadata
from events.data_keys import DataKeys
from events.event import ANONYMOUS, Actor, Event, Metadata
from events.keys import DataKey
from events.session import STREAM_TYPE as SESSION
from events.session import SessionEnded, SessionStarted
from events.user import STREAM_TYPE as USER
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    LocaleChanged,
    PasswordChanged,
    RegistrationLapsed,
    RoleGranted,
    TimeZoneChanged,
    UserRegistered,
)
from tests.benchmarks.names import email_of, name_of

__all__ = ["Life", "Realm", "Wave", "brief_waves", "long_waves"]

REFRESHED_FOR: Final = timedelta(days=30)
ROBOT: Final = Actor("robot", name="addresses")
CLIENT: Final = ("203.0.113.7", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")


class Realm(Struct, frozen=True):
    """What everyone shares: keys, one password hash, and each month's key for whence a command came."""

    claims_key: bytes
    keys: DataKeys
    hashed: str
    months: Mapping[str, DataKey]


class Wave(Struct, frozen=True):
    """What is appended at one moment, and how many events that is."""

    at: datetime
    commands: list[Append]

    @property
    def events(self) -> int:
        """How many events it has."""
        return sum(len(command.events) for command in self.commands)


_RANDOM_BITS: Final = (1 << 74) - 1


def _id(at: datetime) -> UUID:
    """A UUIDv7 (RFC 9562) of that moment."""
    chance = int.from_bytes(os.urandom(10)) & _RANDOM_BITS
    high, low = divmod(chance, 1 << 62)
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


class Life:
    """One person, and what is appended when something happens to them."""

    __slots__ = ("_actor", "_key", "_realm", "_revision", "_session", "_use", "_version", "id", "number", "plan")

    def __init__(self, realm: Realm, number: int, at: datetime) -> None:
        self.id, self.number = _id(at), number
        self.plan: list[str] = []
        self._realm = realm
        self._key, use = realm.keys.make(self.id)
        self._use: KeyUse | None = use
        self._actor = Actor("user", self.id)
        self._version = 0
        self._session: UUID | None = None
        self._revision = 0

    def registers(self, at: datetime, *events: Event, session: bool = False) -> Append:
        """Register, perhaps do more at once, and perhaps sign in; the address is claimed, as proved if that is among it."""
        append = Append(_id(at), expected={self.id: 0})
        proved = any(isinstance(event, EmailVerified) for event in events)
        append.claims.append(ClaimChange(EMAIL_SCOPE, self._claimed(), None, self.id, proved))
        self._keep(append, self.id, PASSWORD, self._realm.hashed.encode())
        assert self._use is not None
        append.keys.append(self._use)
        self._use = None
        registered = UserRegistered(email_of(self.number), name_of(self.number), "en-GB")
        self._record(append, at, "RegisterUser", registered, ANONYMOUS)
        for event in events:
            self._record(append, at, COMMANDS[type(event)], event, self._actor)
        if session:
            self._sign_in(append, at)
        return append

    def does(self, at: datetime, event: Event, actor: Actor | None = None) -> Append:
        """One more fact."""
        append = Append(_id(at), expected={self.id: self._version})
        self._record(append, at, COMMANDS[type(event)], event, actor or self._actor)
        return append

    def lapses(self, at: datetime) -> Append:
        """The address was never proved: it is free again, and the password is gone."""
        append = self.does(at, RegistrationLapsed(), ROBOT)
        append.claims.append(ClaimChange(EMAIL_SCOPE, self._claimed(), self.id, None))
        append.secrets.append(SecretChange(self.id, PASSWORD, self.id, 1, None))
        return append

    def _claimed(self) -> bytes:
        return claim_key(self._realm.claims_key, email_of(self.number))

    def signs_in(self, at: datetime) -> Append:
        """Begin a session."""
        append = Append(_id(at))
        self._sign_in(append, at)
        return append

    def signs_out(self, at: datetime) -> Append:
        """End the session that began last."""
        assert self._session is not None
        append = Append(_id(at), expected={self._session: 1})
        append.secrets.append(SecretChange(self._session, KIND, self.id, 1, None))
        self._record(append, at, "EndSession", SessionEnded(), self._actor, self._session, 2)
        self._session = None
        return append

    @property
    def in_session(self) -> bool:
        """Whether there is a session to end."""
        return self._session is not None

    def _sign_in(self, append: Append, at: datetime) -> None:
        self._session = _id(at)
        append.expected[self._session] = 0
        self._keep(append, self._session, KIND, Family.begun(at, REFRESHED_FOR, *CLIENT).to_bytes())
        self._record(append, at, "SignIn", SessionStarted(self.id, "password"), ANONYMOUS, self._session, 1)

    def _keep(self, append: Append, owner: UUID, kind: str, plain: bytes) -> None:
        sealed = self._key.seal(plain, Secret.place(owner, kind, 1))
        append.secrets.append(SecretChange(owner, kind, self.id, 0, sealed))

    def _record(
        self,
        append: Append,
        at: datetime,
        command: str,
        event: Event,
        actor: Actor,
        session: UUID | None = None,
        version: int = 0,
    ) -> None:
        if session is None:
            self._version += 1
            version = self._version
        stream = session or self.id
        topic, state = encode(event, stream, version, self._key)
        month = at.strftime("%Y-%m")
        client = seal_note(CLIENT, "client", stream, version, self._realm.months[month])
        metadata = Metadata(
            actor=actor, command=command, correlation_id=append.command_id, client=client, client_month=month
        )
        append.events.append(
            NewEvent(
                stream, USER if session is None else SESSION, version, topic, state, self.id, write_metadata(metadata)
            )
        )


COMMANDS: Final[Mapping[type[Event], str]] = {
    EmailVerified: "VerifyEmail",
    DisplayNameChanged: "ChangeDisplayName",
    LocaleChanged: "ChangeLocale",
    TimeZoneChanged: "ChangeTimeZone",
    PasswordChanged: "ChangePassword",
    RegistrationLapsed: "LapseRegistration",
    RoleGranted: "GrantRole",
}

BLOCK: Final = 2_000
"""People who register at one moment."""


def brief_waves(realm: Realm, people: int, at: datetime, each: int) -> Iterator[Wave]:
    """People who do `each` things, one or five, in the first minutes: a block of them registers, then proves addresses, and so on.

    So a person's events stand some thousand apart in the log, with those of others between.
    """
    steps: Sequence[Callable[[Life], Event]] = (
        lambda _life: EmailVerified(),
        lambda life: DisplayNameChanged(name_of(life.number + 1)),
        lambda _life: LocaleChanged("de-CH"),
        lambda _life: TimeZoneChanged("Europe/Zurich"),
    )[: each - 1]
    for first in range(0, people, BLOCK):
        block = [Life(realm, number, at) for number in range(first, min(first + BLOCK, people))]
        yield Wave(at, [life.registers(at) for life in block])
        for step in steps:
            yield Wave(at, [life.does(at, step(life)) for life in block])


DAYS: Final = 28
"""How long ago the first of those who live longer registered: no session has expired yet."""

LAPSES_AFTER: Final = 4
"""Days, by which nobody is left whom a robot would find."""


def long_waves(realm: Realm, people: int, until: datetime, block: int = BLOCK) -> Iterator[Wave]:
    """People who register over four weeks, and come back on later days: some five events each.

    Nine in ten prove the address and sign in at once; the other registrations lapse. On later days some sign out, sign in
    again, change a name, a language, a clock or a password, and a few are given a role. What happens is the same each time,
    times and ids are not.
    """
    blocks = -(-people // block)
    every = timedelta(days=DAYS) / blocks
    later: dict[int, list[tuple[Life, str]]] = {}
    for wave in range(blocks):
        at = until - every * (blocks - wave)
        commands = []
        for number in range(wave * block, min((wave + 1) * block, people)):
            luck = random.Random(number)
            proves = luck.random() < 0.92
            life = Life(realm, number, at)
            commands.append(life.registers(at, *([EmailVerified()] if proves else []), session=proves))
            for day, deed in _deeds(luck) if proves else ((LAPSES_AFTER, "lapse"),):
                later.setdefault(wave + max(1, round(day * blocks / DAYS)), []).append((life, deed))
        yield Wave(at, commands)
        # A moment later, and one after the other: nobody does two things in one transaction.
        due = later.pop(wave, [])
        while due:
            busy: set[UUID] = set()
            now, due = due, []
            commands = []
            for life, deed in now:
                if life.id in busy:
                    due.append((life, deed))
                    continue
                busy.add(life.id)
                commands.append(_done(life, deed, at))
            yield Wave(at, commands)


def _deeds(luck: random.Random) -> Iterator[tuple[int, str]]:
    """What someone does on which later day, the first that they may be back being the next."""
    for chance, deed in ((0.45, "out or in"), (0.7, "in"), (0.35, "out or in"), (0.3, "in")):
        if luck.random() < chance:
            yield luck.randint(1, 8), deed
    for chance, deed in ((0.25, "name"), (0.15, "locale"), (0.1, "time zone"), (0.08, "password"), (0.01, "role")):
        if luck.random() < chance:
            yield luck.randint(1, 5), deed


def _done(life: Life, deed: str, at: datetime) -> Append:
    match deed:
        case "in":
            return life.signs_in(at)
        case "out or in":
            return life.signs_out(at) if life.in_session else life.signs_in(at)
        case "name":
            return life.does(at, DisplayNameChanged(name_of(life.number + 7)))
        case "locale":
            return life.does(at, LocaleChanged("fr-FR"))
        case "time zone":
            return life.does(at, TimeZoneChanged("Europe/Paris"))
        case "lapse":
            return life.lapses(at)
        case "password":
            return life.does(at, PasswordChanged())
        case _:
            return life.does(at, RoleGranted("analyst"))
