"""What happened, for auditors: everything, or all that concerns one user."""

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from api.asking import runtime_of
from api.auth import may
from api.bodies import JsonRequest
from api.declared import CURSOR, PARAMETERS, TOKEN, declared
from api.lists import Cursor, Limit, page_headers, place_after, sealed_place
from api.reasons import FieldError, InvalidParameters, NotPermitted
from commands.errors import NoSuchUser
from events.errors import StoreUnavailable
from projections.topics import known_topics
from queries.history import EventView, history, history_of_user

__all__ = ["History", "Types", "check_types"]

Types = Annotated[
    list[str] | None,
    QueryParameter(
        name="type",
        max_items=50,
        schema_extra={"items": Schema(type=OpenAPIType.STRING, enum=known_topics())},
        description="Only events of these types, as `UserRegistered`.",
    ),
]


def check_types(types: Iterable[str] | None) -> None:
    """Raises `InvalidParameters` for types that no event has."""
    if unknown := set(types or ()) - set(known_topics()):
        errors = [FieldError(parameter="type", detail="There are no such events.") for _ in unknown]
        raise InvalidParameters(errors=errors)


class EventList(Struct, frozen=True):
    """A page of events; `next` is the cursor of the page after it, null at the end for now."""

    items: list[EventView]
    next: str | None


class History(Controller):
    """The log itself: nothing is newer, so nothing can be behind."""

    path = "/v1"
    tags = ("History",)

    @get(
        "/users/{user_id:uuid}/history",
        operation_id="history_of_user",
        summary="What happened to a user",
        guards=[may("audit:read")],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, NoSuchUser, CURSOR, StoreUnavailable),
    )
    async def of_user(
        self, request: JsonRequest, user_id: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None
    ) -> Response[EventList]:
        """Everything about the user in the order in which it happened, sessions and roles included."""
        process, name = runtime_of(request), f"history {user_id}"
        after = place_after(request, name, cursor, int) or 0
        page = await history_of_user(process.reader, process.keys, user_id, after=after, limit=limit)
        if not page.items and after == 0:
            raise NoSuchUser
        following = sealed_place(request, name, page.next)
        return Response(
            EventList(page.items, following), headers=page_headers(request, page.position, following, limit=limit)
        )

    @get(
        "/events",
        operation_id="events",
        summary="What happened",
        guards=[may("audit:read")],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, CURSOR, StoreUnavailable),
    )
    async def events(
        self, request: JsonRequest, limit: Limit = 50, cursor: Cursor = None, types: Types = None
    ) -> Response[EventList]:
        """The whole log in the order in which it happened, or the events of some types."""
        check_types(types)
        process, name = runtime_of(request), f"events {sorted(types or ())}"
        after = place_after(request, name, cursor, int) or 0
        page = await history(process.reader, process.keys, after=after, limit=limit, types=types)
        following = sealed_place(request, name, page.next)
        headers = page_headers(request, page.position, following, limit=limit, type=types)
        return Response(EventList(page.items, following), headers=headers)
