"""What is owed to people because of what happened, as mails, and what became of it."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct

from api.asking import ask, runtime_of, tried_out
from api.auth import may
from api.bodies import JsonRequest
from api.conditions import MinPosition, Prefer, PreferDryRun
from api.declared import BODY, COMMAND, CURSOR, PARAMETERS, TOKEN, VIEW, declared
from api.lists import Cursor, Limit, page_headers, place_after, sealed_place
from api.reasons import FieldError, InvalidParameters, NotPermitted
from api.rehearsals import Rehearsal
from api.roles import ReasonBody
from api.views import Reached, reached
from commands.errors import NoSuchDelivery
from commands.redrive_delivery import RedriveDelivery
from projections.concerns import REACTIONS
from queries.deliveries import STATUSES, DeliveryView, deliveries, delivery_by_id

__all__ = ["Deliveries"]

NAMES = tuple(reaction.name for reaction in REACTIONS)


def _one_of(name: str, values: tuple[str, ...], meaning: str) -> QueryParameter:
    return QueryParameter(name=name, schema_extra={"enum": values}, description=meaning)


Status = Annotated[str | None, _one_of("status", STATUSES, "Only those of this status.")]
Reaction = Annotated[str | None, _one_of("reaction", NAMES, "Only those of this reaction.")]
Subject = Annotated[
    str | None, QueryParameter(name="subject", schema_extra={"format": "uuid"}, description="Only those to this user.")
]


class DeliveryList(Struct, frozen=True):
    """A page of deliveries, of the newest events first; `next` is the cursor of the page after it, null at the end."""

    items: list[DeliveryView]
    next: str | None


class Deliveries(Controller):
    """References only: to whom by id, about which event, how often it was tried, and why it was not sent."""

    path = "/v1/deliveries"
    tags = ("Operations",)

    @get(
        operation_id="deliveries",
        summary="What is owed, and what became of it",
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, NotPermitted, CURSOR),
    )
    async def deliveries(
        self,
        request: JsonRequest,
        limit: Limit = 50,
        cursor: Cursor = None,
        status: Status = None,
        reaction: Reaction = None,
        subject: Subject = None,
        min_position: MinPosition = None,
        prefer: Prefer = None,
    ) -> Response[DeliveryList]:
        """Of the newest events first. Filters combine."""
        user_id = _filters(status, reaction, subject)
        filters = {"status": status, "reaction": reaction, "subject": user_id}
        name = f"deliveries {status} {reaction} {user_id}"
        after = place_after(request, name, cursor, tuple[int, UUID])
        demands = await _demands(request, min_position, prefer)
        page = await deliveries(
            runtime_of(request).reader, status=status, reaction=reaction, subject=user_id, after=after, limit=limit
        )
        for demanded in demands:
            demanded.hold(page.position)
        following = sealed_place(request, name, page.next)
        headers = page_headers(request, page.position, following, limit=limit, **filters)
        return Response(DeliveryList(page.items, following), headers=headers | demands[0].applied)

    @get(
        "/{delivery_id:uuid}",
        operation_id="delivery_by_id",
        summary="A delivery",
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, NotPermitted, NoSuchDelivery),
    )
    async def delivery_by_id(
        self,
        request: JsonRequest,
        delivery_id: FromPath[UUID],
        min_position: MinPosition = None,
        prefer: Prefer = None,
    ) -> Response[DeliveryView]:
        """What it is about, and what became of it so far."""
        return await _told(request, delivery_id, min_position, prefer)

    @post(
        "/{delivery_id:uuid}/redrive",
        operation_id="redrive_delivery",
        summary="Send what was given up",
        status_code=HTTP_200_OK,
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchDelivery),
    )
    async def redrive(
        self,
        request: JsonRequest,
        delivery_id: FromPath[UUID],
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[DeliveryView | Rehearsal]:
        """Attempt a dead delivery again, at once and as often as a new one; others stay as they are. Safe to repeat."""
        command, reason = RedriveDelivery(delivery_id), data.reason if data else None
        if (tried := await tried_out(request, command, reason=reason)) is not None:
            return tried
        await ask(request, command, reason)
        return await _told(request, delivery_id)


def _filters(status: str | None, reaction: str | None, subject: str | None) -> UUID | None:
    """The subject, if one is given. Raises `InvalidParameters` for all that there cannot be."""
    wrong = [
        FieldError(parameter=name, detail="There is no such one.")
        for name, value, known in (("status", status, STATUSES), ("reaction", reaction, NAMES))
        if value is not None and value not in known
    ]
    user_id = None
    if subject is not None:
        try:
            user_id = UUID(subject)
        except ValueError:
            wrong.append(FieldError(parameter="subject", detail="This is not a UUID."))
    if wrong:
        raise InvalidParameters(errors=wrong)
    return user_id


async def _demands(request: JsonRequest, min_position: str | None, prefer: str | None) -> list[Reached]:
    """What is demanded of each reaction, once it has come so far. Raises `InvalidParameters`, `ViewBehind`."""
    return [await reached(request, None, min_position, prefer, name) for name in NAMES]


async def _told(
    request: JsonRequest, delivery_id: UUID, min_position: str | None = None, prefer: str | None = None
) -> Response[Any]:
    demands = await _demands(request, min_position, prefer)
    view, position = await delivery_by_id(runtime_of(request).reader, delivery_id)
    for demanded in demands:
        demanded.hold(position)
    if view is None:
        raise NoSuchDelivery
    headers = {"Event-Position": str(position), "Cache-Control": "no-store", **demands[0].applied}
    return Response(view, headers=headers)
