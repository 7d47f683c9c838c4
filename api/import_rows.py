"""Rows of an import: what each says of a user, and what is told of what became of it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct, convert

from api.bodies import Body, invalid_fields, parsed, read
from api.fields import CHECKS, DisplayName, Email, Entries, Locale, PictureUrl, Reason, TimeZone
from api.lines import MOST_LINE_BYTES
from api.problems import meaning, slug
from api.reasons import BodyTooLarge, Declined, FieldError, InvalidFields, MalformedBody
from commands.errors import AddressNotProved, AddressTaken, IdTaken, Refused
from commands.external_ids import MOST_CHARACTERS as LONGEST_ID
from commands.external_ids import external_id
from commands.import_user import Imported, ImportUser, registration_time, role, user_id
from commands.metadata import replaced
from commands.password_hashes import password_hash

__all__ = ["ImportRow", "RowTold", "Told", "command_of", "row_of", "told", "told_refused"]

MOST_ROLES: Final = 16
MALFORMED: Final = (
    "The line is not one JSON object in UTF-8 with each name once, finite numbers and no more than 16 levels."
)
TOO_LONG: Final = f"The line is longer than {MOST_LINE_BYTES // 1024} KiB."
Told = Literal["imported", "unchanged", "differs", "refused"]

ExternalId = Annotated[str, Meta(max_length=1024, description="The id that the person had elsewhere.")]
PasswordHash = Annotated[str, Meta(max_length=8192, description="The hash of the password, as it is kept elsewhere.")]
RegisteredAt = Annotated[datetime, Meta(tz=True, description="When the person registered there.")]


class MetadataRow(Body, frozen=True):
    """What is noted of the person, by products for them and by administrators."""

    own: Entries | None = None
    admin: Entries | None = None


def _metadata(value: Any, _document: dict[str, Any]) -> object:
    return [replaced({}, value.get(compartment) or {}) for compartment in ("own", "admin")] if value else None


class ImportRow(Body, frozen=True):
    """A user as they were known elsewhere, and why they are brought in. But for the address, all may be left out, or null."""

    email: Email
    email_verified: bool | None = None
    external_id: ExternalId | None = None
    id: UUID | None = None
    display_name: DisplayName | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    picture_url: PictureUrl | None = None
    metadata: MetadataRow | None = None
    roles: Annotated[tuple[str, ...], Meta(max_length=MOST_ROLES)] | None = None
    suspended: bool | None = None
    registered_at: RegisteredAt | None = None
    password_hash: PasswordHash | None = None
    reason: Reason | None = None

    checks = CHECKS | {
        "external_id": lambda value, _document: value is None or external_id(value),
        "id": lambda value, _document: value is None or user_id(UUID(value)),
        "metadata": _metadata,
        "roles": lambda value, _document: [role(name) for name in value or ()],
        "registered_at": lambda value, _document: (
            value is None or registration_time(convert(value, datetime), datetime.now(UTC))
        ),
        "password_hash": lambda value, _document: value is None or password_hash(value),
    }


class RowTold(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What became of a line. Of one that is refused, `reason` is a type of problem, and `errors` name what is wrong in it.

    `differs` names the fields of somebody who is here already that are not as the row tells.
    """

    line: int
    outcome: Told
    external_id: str | None = None
    user_id: UUID | None = None
    differs: tuple[str, ...] = ()
    reason: str | None = None
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()

    def in_words(self) -> str:
        """For people."""
        if self.outcome == "differs":
            return f"line {self.line}: is here as {self.user_id}, and differs in {', '.join(self.differs)}"
        where = "; ".join(f"{error.pointer}: {error.detail}" for error in self.errors)
        return f"line {self.line}: {self.reason}: {where or self.detail}"


def row_of(text: bytes | None) -> tuple[Any, ImportRow]:
    """The document of a line, and the row that it is. Raises `MalformedBody`, `BodyTooLarge`, `InvalidFields`."""
    if text is None:
        raise BodyTooLarge(TOO_LONG)
    try:
        document = parsed(text)
    except MalformedBody:
        raise MalformedBody(MALFORMED) from None
    return document, read(document, ImportRow)


def command_of(row: ImportRow) -> ImportUser:
    """What a row asks for."""
    metadata = row.metadata or MetadataRow()
    return ImportUser(
        email=row.email,
        email_verified=bool(row.email_verified),
        external_id=row.external_id,
        id=row.id,
        display_name=row.display_name,
        locale=row.locale,
        time_zone=row.time_zone,
        picture_url=row.picture_url,
        own=metadata.own,
        admin=metadata.admin,
        roles=row.roles or (),
        suspended=bool(row.suspended),
        registered_at=row.registered_at,
        password_hash=row.password_hash,
    )


def told(line: int, row: ImportRow, imported: Imported, *, dry_run: bool) -> RowTold:
    """What became of a row that was understood and not refused. The id of who would be new is not known yet."""
    made_up = dry_run and row.id is None and imported.outcome == "imported"
    return RowTold(
        line=line,
        outcome=imported.outcome,
        external_id=row.external_id,
        user_id=None if made_up else imported.user_id,
        differs=imported.differs,
    )


_POINTERS: Final[dict[type[Refused], str]] = {
    AddressTaken: "/email",
    IdTaken: "/id",
    AddressNotProved: "/email_verified",
}


def told_refused(line: int, document: Any, refusal: Declined | Refused) -> RowTold:
    """Why a row was refused: with all fields that are wrong, where it is fields."""
    errors = refusal.errors if isinstance(refusal, Declined) else []
    kind: type[Exception] = type(refusal)
    if isinstance(refusal, Refused):
        if kind in _POINTERS:
            errors = [FieldError(pointer=_POINTERS[kind], detail=str(refusal))]
        elif wrong := invalid_fields(document, ImportRow):
            kind, errors = InvalidFields, wrong
    external = document.get("external_id") if isinstance(document, dict) else None
    return RowTold(
        line=line,
        outcome="refused",
        external_id=external if isinstance(external, str) and len(external) <= LONGEST_ID else None,
        reason=slug(kind),
        detail=meaning(kind) if kind is InvalidFields else str(refusal) or meaning(kind),
        errors=tuple(errors),
    )
