"""One attempt at a command: what it read, and what it wants recorded if that still holds."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands import administrators, api_key, invitation, projection, session, user
from commands.administrators import Administrators
from commands.api_key import ApiKey
from commands.attempts import Attempt, forget_attempts, reserve_attempt
from commands.errors import Refused
from commands.invitation import Invitation
from commands.passwords import Hasher
from commands.projection import Decisions
from commands.reads import Reads
from commands.secrets import Secret
from commands.session import Session
from commands.user import User
from events.administrators import STREAM_ID as ADMINISTRATORS_ID
from events.administrators import STREAM_TYPE as ADMINISTRATORS
from events.api_key import STREAM_TYPE as API_KEY
from events.append import ClaimChange, KeyUse, SecretChange
from events.connections import Reading
from events.data_keys import DataKeys
from events.delivery import STREAM_TYPE as DELIVERY
from events.errors import KeyGone
from events.event import Event, Recorded
from events.invitation import STREAM_TYPE as INVITATION
from events.keys import DataKey
from events.projection import STREAM_TYPE as PROJECTION
from events.projection import stream_id as projection_id
from events.session import STREAM_TYPE as SESSION
from events.user import STREAM_TYPE as USER

__all__ = ["NO_CLIENT", "Client", "Known", "Rules", "Unit", "Written"]

T = TypeVar("T")
S = TypeVar("S")


class Client(Struct, frozen=True):
    """Whence a command came; kept sealed, and for a shorter time than the rest."""

    address: str
    user_agent: str


NO_CLIENT: Final = Client("", "")


class Rules(Struct, frozen=True, kw_only=True):
    """What the operator decided, as far as commands ask: keys for each purpose, how often and how long.

    Who asks to be erased has `erasure_waiting_days` to think better of it; with 0 there is no waiting.
    `sign_in_attempts` may fail from strange devices, and as many from each known one, before they wait `lock_minutes`; of
    second factors `second_step_attempts`. API keys live `api_key_days` at the longest, and invitations
    `invitation_hours` where it is not said. `base_url` is where people find this installation.
    """

    claims_key: bytes
    links_key: bytes
    devices_key: bytes
    refresh_token_days: int = 30
    verification_hours: int = 72
    password_reset_minutes: int = 60
    email_undo_hours: int = 72
    sign_in_attempts: int = 20
    lock_minutes: int = 15
    erasure_waiting_days: int = 14
    second_step_minutes: int = 5
    second_step_attempts: int = 5
    api_key_days: int = 365
    invitation_hours: int = 168
    base_url: str = "http://localhost"


class Known(Struct, frozen=True):
    """What every attempt at one command shares: the moment, what was computed slowly once, and what to ask."""

    now: datetime
    rules: Rules
    hasher: Hasher
    memo: dict[Any, Any]
    client: Client = NO_CLIENT
    rehearsing: bool = False


class Written(Struct):
    """Events for one stream, in order, after the version that was read."""

    stream_type: str
    stream_id: UUID
    version: int
    subject_id: UUID | None
    events: list[Event]


class Unit:
    """Reads streams and side rows for a command's rule, and gathers what the rule wants recorded.

    Everything that was read is expected to be unchanged when the record is appended; else the command is asked again,
    with a new unit. Nothing is recorded unless all of it is.
    """

    def __init__(self, pool: Reading, reads: Reads, keys: DataKeys, known: Known) -> None:
        self._pool = pool
        self._reads = reads
        self._keys = keys
        self._known = known
        self.expected: dict[UUID, int] = {}
        self.written: dict[UUID, Written] = {}
        self.claims: list[ClaimChange] = []
        self.secrets: list[SecretChange] = []
        self.key_uses: dict[UUID, KeyUse] = {}
        self.data_keys: dict[UUID, DataKey] = {}
        self.pardoned: list[bytes] = []
        self.refusal: Refused | None = None
        self.pretends = False

    @property
    def pool(self) -> Reading:
        """For what stands beside the log and is no part of what must be unchanged."""
        return self._pool

    @property
    def client(self) -> Client:
        """Whence the command came."""
        return self._known.client

    @property
    def now(self) -> datetime:
        """When the command was asked."""
        return self._known.now

    @property
    def rules(self) -> Rules:
        """What the operator decided."""
        return self._known.rules

    @property
    def hasher(self) -> Hasher:
        """Hashes and verifies passwords."""
        return self._known.hasher

    @property
    def rehearsing(self) -> bool:
        """Whether the command is only tried out: then nothing is done that cannot be taken back."""
        return self._known.rehearsing

    def new_id(self) -> UUID:
        """A fresh UUIDv7 (RFC 9562)."""
        made: UUID = uuid7()
        return made

    async def once(self, key: Any, make: Callable[[], Awaitable[T]]) -> T:
        """What is slow to make, made once however often the command is asked again."""
        memo = self._known.memo
        if key not in memo:
            memo[key] = await make()
        made: T = memo[key]
        return made

    async def user(self, user_id: UUID) -> User:
        """The user as they are now."""
        return await self._fold(user_id, USER, user.fold)

    async def session(self, session_id: UUID) -> Session:
        """The session as it is now."""
        return await self._fold(session_id, SESSION, session.fold)

    async def api_key(self, key_id: UUID) -> ApiKey:
        """The API key as it is now."""
        return await self._fold(key_id, API_KEY, api_key.fold)

    async def invitation(self, invitation_id: UUID) -> Invitation:
        """The invitation as it is now."""
        return await self._fold(invitation_id, INVITATION, invitation.fold)

    async def administrators(self) -> Administrators:
        """Who administers now."""
        return await self._fold(ADMINISTRATORS_ID, ADMINISTRATORS, administrators.fold)

    async def decisions(self, name: str) -> Decisions:
        """What was decided about the parked events of a read model."""
        return await self._fold(projection_id(name), PROJECTION, projection.fold)

    async def times_redriven(self, delivery_id: UUID) -> int:
        """How often it was decided that a delivery be attempted again."""
        return await self._fold(delivery_id, DELIVERY, lambda history: sum(1 for _ in history))

    async def _fold(self, stream_id: UUID, stream_type: str, fold: Callable[[Iterable[Recorded[Any]]], S]) -> S:
        """What was of a stream; a stream of another type is no user's and no session's, whoever gives its id for one."""
        history = await self._reads.stream(stream_id)
        self.expected[stream_id] = history[-1].version if history else 0
        return fold(history if not history or history[0].stream_type == stream_type else ())

    async def owner(self, scope: str, key: bytes) -> UUID | None:
        """Who owns a claim now."""
        return await self._reads.owner(scope, key)

    async def reserve_attempt(self, key: bytes, device: bytes, most: int | None = None) -> Attempt:
        """One attempt at what this key stands for, taken once however often the command is asked again.

        There are as many as sign-ins may fail, unless it is said how many.
        """
        rules = self.rules
        return await self.once(
            ("attempt", key, device),
            lambda: reserve_attempt(self._pool, key, device, most or rules.sign_in_attempts, rules.lock_minutes * 60),
        )

    async def forget_attempts(self, key: bytes, device: bytes | None = None) -> None:
        """Count anew what failed, from one device or from all; at once, whatever becomes of the command, and only once."""
        await self.once(("forgotten", key, device), lambda: forget_attempts(self._pool, key, device))

    def pardon(self, key: bytes) -> None:
        """Count anew what failed from all devices, once the command is recorded."""
        self.pardoned.append(key)

    async def secrets_of(self, subject_id: UUID, kind: str) -> list[tuple[UUID, int, int]]:
        """(owner, revision, version of the owner's stream) of every secret of a kind that is kept of someone."""
        rows = await self._pool.fetch(
            "SELECT owner_id, revision, (SELECT max(originator_version) FROM stored_events "
            "WHERE originator_id = owner_id) FROM secrets WHERE subject_id = $1 AND kind = $2 ORDER BY owner_id",
            subject_id,
            kind,
        )
        return [tuple(row) for row in rows]

    async def secret(self, owner_id: UUID, kind: str) -> Secret | None:
        """A secret that is kept beside the log, opened; None where there is none."""
        return await self._reads.secret(owner_id, kind)

    def begin_subject(self, subject_id: UUID) -> None:
        """Make a data key for someone new; it is kept if the command's record is."""
        key, use = self._keys.make(subject_id)
        self.data_keys[subject_id], self.key_uses[subject_id] = key, use

    async def key_of(self, subject_id: UUID) -> DataKey | None:
        """The subject's data key, expected to be there still when the record is appended; None when it is forgotten."""
        if subject_id not in self.data_keys:
            key = await self._keys.key_of(self._pool, subject_id)
            if key is None:
                return None
            self.data_keys[subject_id] = key
            self.key_uses[subject_id] = KeyUse(subject_id, key.key_id)
        return self.data_keys[subject_id]

    async def forget_subject(self, subject_id: UUID) -> None:
        """Destroy the key of someone, and with it everything personal that was sealed under it, if it is there still."""
        if await self.key_of(subject_id) is not None:
            self.key_uses[subject_id] = replace(self.key_uses[subject_id], forgotten=True)

    async def key_of_notes(self, stream_id: UUID) -> DataKey:
        """The key for what is noted of events about nobody: their stream's own, made when there is something to note."""
        if await self.key_of(stream_id) is None:
            self.begin_subject(stream_id)
        return self.data_keys[stream_id]

    def record_user(self, user_id: UUID, *events: Event) -> None:
        """Events about a user, in the user's own stream."""
        self._record(USER, user_id, user_id, events)

    def record_session(self, session_id: UUID, user_id: UUID, *events: Event) -> None:
        """Events about a session of a user."""
        self._record(SESSION, session_id, user_id, events)

    def record_api_key(self, key_id: UUID, user_id: UUID, *events: Event) -> None:
        """Events about an API key of a user."""
        self._record(API_KEY, key_id, user_id, events)

    def record_invitation(self, invitation_id: UUID, *events: Event) -> None:
        """Events about an invitation, which is a subject of its own."""
        self._record(INVITATION, invitation_id, invitation_id, events)

    def record_administrators(self, subject_id: UUID | None, *events: Event) -> None:
        """Events in the administrators' one stream, about one of them."""
        self._record(ADMINISTRATORS, ADMINISTRATORS_ID, subject_id, events)

    def record_projection(self, name: str, subject_id: UUID | None, *events: Event) -> None:
        """Events in a read model's stream, about one user or about all."""
        self._record(PROJECTION, projection_id(name), subject_id, events)

    def record_delivery(self, delivery_id: UUID, subject_id: UUID, *events: Event) -> None:
        """Events about a delivery to somebody."""
        self._record(DELIVERY, delivery_id, subject_id, events)

    def _record(self, stream_type: str, stream_id: UUID, subject_id: UUID | None, events: Iterable[Event]) -> None:
        if not events:
            return
        version = self.expected.setdefault(stream_id, 0)
        written = self.written.setdefault(stream_id, Written(stream_type, stream_id, version, subject_id, []))
        written.events.extend(events)

    def claim(self, scope: str, key: bytes, *, expected: UUID | None, owner: UUID | None, proven: bool = False) -> None:
        """Let a claim pass from its expected owner to another, or to nobody."""
        self.claims.append(ClaimChange(scope, key, expected, owner, proven))

    async def keep_secret(self, owner_id: UUID, kind: str, subject_id: UUID, plain: bytes, revision: int = 0) -> None:
        """Keep a secret, sealed under the subject's key, in place of the one at `revision`. Raises `KeyGone`."""
        key = await self.key_of(subject_id)
        if key is None:
            raise KeyGone
        sealed = key.seal(plain, Secret.place(owner_id, kind, revision + 1))
        self.secrets.append(SecretChange(owner_id, kind, subject_id, revision, sealed))

    def drop_secret(self, secret: Secret) -> None:
        """Keep a secret no longer."""
        self.secrets.append(SecretChange(secret.owner_id, secret.kind, secret.subject_id, secret.revision, None))

    def drop_secret_at(self, owner_id: UUID, kind: str, subject_id: UUID, revision: int) -> None:
        """Keep a secret no longer that was not opened, if it is still the one of this revision."""
        self.secrets.append(SecretChange(owner_id, kind, subject_id, revision, None))

    def pretend(self) -> None:
        """Take as long as if something were recorded, should there be nothing: what is not done must not be told by time."""
        self.pretends = True

    def refuse(self, refusal: Refused) -> None:
        """Record what was gathered, and refuse all the same: some refusals are facts worth keeping."""
        self.refusal = refusal
