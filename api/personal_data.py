"""Everything that is held about one person, in one document that people and programs can read (GDPR, articles 15 and 20)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, cast
from uuid import UUID

import msgspec
from litestar import Controller, MediaType, Response, get
from litestar.params import FromPath
from msgspec import Struct

from api.asking import runtime_of
from api.auth import not_permitted, signed_in
from api.bodies import JsonRequest
from api.declared import PARAMETERS, TOKEN, declared
from api.reasons import NotPermitted
from api.views import require_sight
from commands.errors import NoSuchUser
from commands.living_sessions import LivingSession, living_sessions
from events.errors import StoreUnavailable
from queries.deliveries import DeliveryView
from queries.personal_data import KeptBeside, ToldEvent, account, everything_that_happened, kept_beside, mail_to
from queries.users import UserView

__all__ = ["PersonalData", "PersonalDataOfUser"]

NOTE: Final = (
    "This is everything that is held about one person: the account as it is, sessions that live, what is kept beside the "
    "history without being told (a password is kept as a hash only), mail, and all that ever happened, by whom it was "
    "done, why if somebody said so, and from where, as long as that is kept. Times are UTC."
)


class PersonalData(Struct, frozen=True):
    """What is held about a person, as of `position` in the log; `account` is null for a registration that came to nothing.

    `kept` names secrets and receipts, and tells none.
    """

    note: str
    exported_at: datetime
    position: int
    account: UserView | None
    sessions: list[LivingSession]
    kept: list[KeptBeside]
    mail: list[DeliveryView]
    history: list[ToldEvent]


class PersonalDataOfUser(Controller):
    """One's own or, with `users:read` and `audit:read`, anyone's."""

    path = "/v1/users/{user_id:uuid}/export"
    tags = ("Users",)

    @get(
        operation_id="export_personal_data",
        summary="Everything about a user",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, NoSuchUser, StoreUnavailable),
    )
    async def export(self, request: JsonRequest, user_id: FromPath[UUID]) -> Response[PersonalData]:
        """Everything that is held about a person, from the log itself and what stands beside it.

        Somebody who was erased has nothing left to be told.
        """
        require_sight(request, user_id, "users:read")
        caller = request.user
        if caller is not None and caller.user_id != user_id and not caller.may("audit:read"):
            raise not_permitted("audit:read")
        process = runtime_of(request)
        position, sessions = await living_sessions(process.writer, process.keys, user_id, datetime.now(UTC))
        data = PersonalData(
            NOTE,
            datetime.now(UTC),
            position,
            await account(process.reader, process.keys, user_id, position),
            sessions,
            await kept_beside(process.writer, user_id),
            await mail_to(process.reader, user_id),
            await everything_that_happened(process.reader, process.keys, user_id, position),
        )
        return cast(
            "Response[PersonalData]",
            Response(readable(data), media_type=MediaType.JSON, headers=_headers(user_id, position)),
        )


def readable(data: PersonalData) -> bytes:
    """The document, a line for each entry and indented."""
    return msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n"


def _headers(user_id: UUID, position: int) -> Mapping[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="muster-{user_id}.json"',
        "Cache-Control": "no-store",
        "Event-Position": str(position),
    }
