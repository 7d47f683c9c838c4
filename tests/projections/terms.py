"""A read model for tests whose keys own several rows, as awkward as an evolve may be: it looks at all open rows at once."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import BigInteger, Column, Text, Uuid

from events.event import Recorded
from events.personal import Forgotten
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    VerificationRequested,
)
from projections.read_model import ReadModel, Row, Several

__all__ = ["OPEN_TERMS", "TERMS", "Term", "TermEvents"]

TermEvents: TypeAlias = (
    RoleGranted | RoleRevoked | DisplayNameChanged | EmailVerified | VerificationRequested | RegistrationSuperseded
)


class Term(Row, frozen=True, kw_only=True):
    """A time in which somebody had a role."""

    user_id: UUID
    role: str
    begun: int
    ended: int | None = None
    others: int
    name: str | None = None


def terms(rows: Sequence[Term], recorded: Recorded[TermEvents]) -> Iterable[Term] | None:
    """Terms begin and end with roles, know how many others there are, and bear the newest name."""
    event, version = recorded.event, recorded.version
    assert recorded.subject_id
    rows = [row for row in rows if row.ended is None]
    match event:
        case RoleGranted(role="trip"):
            raise RuntimeError("ada@example.com made me trip")
        case RoleGranted(role=role):
            known = any(row.role == role for row in rows)
            new = Term(user_id=recorded.subject_id, role=role, begun=version, others=len(rows))
            return [] if known else [new]
        case RoleRevoked(role=role):
            return [replace(row, ended=version) for row in rows if row.role == role]
        case VerificationRequested():
            return [replace(row, ended=version) for row in rows]
        case DisplayNameChanged(display_name=Forgotten()):
            return None
        case DisplayNameChanged(display_name=name):
            return [replace(row, name=name) for row in rows]
        case EmailVerified():
            nobody = Term(user_id=recorded.subject_id, role="nobody", begun=version, others=0)
            return [replace(row, others=len(rows) - 1) for row in rows] or [nobody]
        case RegistrationSuperseded():
            return None


def _model(name: str, evolve: Several[Term]) -> ReadModel[Term]:
    return ReadModel(
        name,
        1,
        columns=(
            Column("user_id", Uuid, primary_key=True),
            Column("role", Text, primary_key=True),
            Column("begun", BigInteger, primary_key=True),
            Column("ended", BigInteger),
            Column("others", BigInteger, nullable=False),
            Column("name", Text),
        ),
        row=Term,
        key="user_id",
        events=TermEvents,
        evolve=evolve,
    )


TERMS = _model("terms", Several(terms, closed_by="ended"))
OPEN_TERMS = _model("open_terms", Several(terms))
