"""What a command wants recorded: events, and changes beside the log, all or nothing."""

from uuid import UUID

from msgspec import Struct, field

__all__ = ["Append", "ClaimChange", "KeyUse", "NewEvent", "NewReceipt", "SecretChange"]


class NewEvent(Struct, frozen=True):
    """An event at its place, encoded and sealed."""

    stream_id: UUID
    stream_type: str
    version: int
    topic: str
    state: bytes
    subject_id: UUID | None
    metadata: str


class ClaimChange(Struct, frozen=True):
    """Who owns a key of a scope from now on (`owner_id` None: nobody), if `expected` (None: nobody) owns it still."""

    scope: str
    key: bytes
    expected: UUID | None
    owner_id: UUID | None
    proven: bool = False


class SecretChange(Struct, frozen=True):
    """A sealed secret (`sealed` None: none) in place of the one of `revision` (0: none); becomes revision + 1."""

    owner_id: UUID
    kind: str
    subject_id: UUID
    revision: int
    sealed: bytes | None


class KeyUse(Struct, frozen=True):
    """A subject's data key: made now (`wrapped` given), used and expected to be there still, or forgotten.

    What is forgotten leaves a tombstone, and takes the subject's secrets and receipts with it.
    """

    subject_id: UUID
    key_id: UUID
    master_id: str = ""
    wrapped: bytes | None = None
    forgotten: bool = False


class NewReceipt(Struct, frozen=True):
    """What is answered, for a day, to the same request with the same key; refused where there is one already."""

    key: bytes
    fingerprint: bytes
    sealed: bytes
    subject_id: UUID | None
    seconds: int


class Append(Struct):
    """One command's record: atomic, and refused whole when any expectation does not hold.

    `expected` maps each stream that the decision read to the version that it saw (0: no such stream yet); the events'
    versions follow from it.
    """

    command_id: UUID
    events: list[NewEvent] = field(default_factory=list)
    expected: dict[UUID, int] = field(default_factory=dict)
    claims: list[ClaimChange] = field(default_factory=list)
    secrets: list[SecretChange] = field(default_factory=list)
    keys: list[KeyUse] = field(default_factory=list)
    receipt: NewReceipt | None = None

    def touches(self) -> set[object]:
        """What two commands of one batch must not share, for expectations are checked for the batch as a whole."""
        touched: set[object] = set(self.expected)
        touched.update((claim.scope, claim.key) for claim in self.claims)
        touched.update((secret.owner_id, secret.kind) for secret in self.secrets)
        touched.update(("key", key.subject_id) for key in self.keys)
        if self.receipt is not None:
            touched.add(("receipt", self.receipt.key))
        return touched
