"""Who has claimed which address, as it follows from the log, one event after the other."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands.addresses import any_key
from events.event import Event, Recorded
from events.user import (
    EmailChanged,
    EmailChangeUndone,
    EmailVerified,
    FormerAddressReleased,
    RegistrationLapsed,
    RegistrationSuperseded,
    UserErased,
    UserImported,
    UserRegistered,
)

__all__ = ["CLAIMING", "Claim", "Claimed"]

CLAIMING = (
    UserRegistered,
    UserImported,
    EmailVerified,
    RegistrationSuperseded,
    RegistrationLapsed,
    EmailChanged,
    EmailChangeUndone,
    FormerAddressReleased,
    UserErased,
)
"""The events from which claims follow."""


class Claim(Struct):
    """A claim on an address; `left_at` is the position in the log where its owner left it for another, 0 for the present one."""

    key: bytes
    owner_id: UUID
    proven: bool
    left_at: int
    claimed_at: datetime


class Claimed:
    """The claims that some events touch: those with a key, or of an owner, that occurs in them."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._by_key: dict[bytes, Claim] = {}
        self._by_owner: defaultdict[UUID, set[bytes]] = defaultdict(set)
        for claim in claims:
            self._put(claim)

    @property
    def claims(self) -> Iterable[Claim]:
        """What is claimed, and by whom."""
        return self._by_key.values()

    def take(self, recorded: Recorded[Event], secret: bytes) -> None:
        """Let one more event have happened. A forgotten address is claimed by nobody."""
        owner_id, position, at = recorded.stream_id, recorded.position, recorded.recorded_at
        match recorded.event:
            case UserRegistered(email=str() as email):
                key = any_key(secret, email)
                if key not in self._by_key or not self._by_key[key].proven:
                    self._put(Claim(key, owner_id, False, 0, at))
            case UserImported(email=str() as email, email_verified=verified):
                self._put(Claim(any_key(secret, email), owner_id, verified, 0, at))
            case EmailVerified():
                for claim in self._of(owner_id):
                    claim.proven = claim.proven or claim.left_at == 0
            case RegistrationSuperseded() | RegistrationLapsed() | UserErased():
                for claim in self._of(owner_id):
                    self._drop(claim)
            case EmailChanged(email=str() as email):
                self._change(any_key(secret, email), owner_id, position, at)
            case EmailChangeUndone(email=str() as email):
                self._undo(any_key(secret, email), owner_id)
            case FormerAddressReleased(email=str() as email):
                claim_or_none = self._by_key.get(any_key(secret, email))
                if claim_or_none is not None and claim_or_none.owner_id == owner_id and claim_or_none.left_at:
                    self._drop(claim_or_none)
            case _:  # no other events were asked for
                pass

    def _change(self, key: bytes, owner_id: UUID, position: int, at: datetime) -> None:
        """Those before stay claimed for a time, without counting as proved."""
        for claim in self._of(owner_id):
            claim.proven, claim.left_at = False, claim.left_at or position
        before = self._by_key.get(key)
        again = before is not None and before.owner_id == owner_id
        self._put(Claim(key, owner_id, True, 0, before.claimed_at if before is not None and again else at))

    def _undo(self, key: bytes, owner_id: UUID) -> None:
        """What came after the address that is given back is released."""
        restored = self._by_key[key]
        for claim in self._of(owner_id):
            if claim is not restored and not 0 < claim.left_at < restored.left_at:
                self._drop(claim)
        restored.proven, restored.left_at = True, 0

    def _of(self, owner_id: UUID) -> list[Claim]:
        return [self._by_key[key] for key in self._by_owner[owner_id]]

    def _put(self, claim: Claim) -> None:
        if (before := self._by_key.get(claim.key)) is not None:
            self._by_owner[before.owner_id].discard(claim.key)
        self._by_key[claim.key] = claim
        self._by_owner[claim.owner_id].add(claim.key)

    def _drop(self, claim: Claim) -> None:
        del self._by_key[claim.key]
        self._by_owner[claim.owner_id].discard(claim.key)
