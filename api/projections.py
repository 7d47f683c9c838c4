"""How the views and reactions do, and what becomes of events that a view could not take."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import JSONBody, PathParameter
from litestar.status_codes import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct

from api.asking import answered, ask, recorded_headers, runtime_of, tried_out
from api.auth import may
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun
from api.declared import BODY, COMMAND, CURSOR, DRY_RUN, PARAMETERS, TOKEN, declared
from api.fields import Reason
from api.lists import Cursor, Limit, page_headers, place_after, sealed_place
from api.reasons import NotPermitted, StaleVersion
from api.roles import ReasonBody
from commands.discard_parked_event import DiscardParkedEvent
from commands.errors import NoSuchParkedEvent, NoSuchReadModel, RebuildUnderWay
from commands.rebuild_read_model import RebuildReadModel
from commands.retry_parked_events import RetryParkedEvents
from events.errors import StoreUnavailable
from events.projection import stream_id
from projections.models import BY_NAME
from projections.rebuilds import Rebuild
from queries.parked_events import ParkedEventView, parked_events
from queries.projections import Projection, projections

__all__ = ["Name", "Projections", "require_model"]

STATUS = "/v1/projections"
NAMES = tuple(BY_NAME)
Name = Annotated[str, PathParameter(schema_extra={"enum": NAMES}, description="The name of a read model.")]
Position = Annotated[int, PathParameter(ge=1, le=2**63 - 1, description="The position of a parked event in the log.")]


class ProjectionsAnswer(Struct, frozen=True):
    """All of them, reactions as well as views; and of each view the last rebuild, or the one that is under way."""

    items: list[Projection]
    rebuilds: list[Rebuild]


class RebuildTaken(Struct, frozen=True):
    """It was taken: the name of the view, and where it is told how far it is."""

    name: str
    status: str


class ParkedEventList(Struct, frozen=True):
    """A page of parked events, the earliest first; `next` is the cursor of the page after it, null at the end."""

    items: list[ParkedEventView]
    next: str | None


class RetryBody(Body, frozen=True):
    """Whose parked events are to be tried again, everyone's unless it is said; and why."""

    key: Annotated[UUID | None, Meta(description="The id of a user.")] = None
    reason: Reason | None = None


class DiscardBody(Body, frozen=True):
    """Why the view does without it."""

    reason: Reason


def require_model(name: str) -> None:
    """Raise `NoSuchReadModel` unless there is a read model of this name."""
    if name not in NAMES:
        raise NoSuchReadModel


class Projections(Controller):
    """For those who operate Muster."""

    path = "/v1/projections"
    tags = ("Operations",)

    @get(
        operation_id="projections",
        summary="How views and reactions do",
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(TOKEN, NotPermitted, StoreUnavailable),
    )
    async def projections(self, request: JsonRequest) -> Response[ProjectionsAnswer]:
        """How far each partition is and how far behind, how fast it goes, what it has parked, and which worker holds it."""
        found = await projections(runtime_of(request).reader)
        headers = {"Event-Position": str(found.position), "Cache-Control": "no-store"}
        return Response(ProjectionsAnswer(found.items, found.rebuilds), headers=headers)

    @post(
        "/{name:str}/rebuild",
        operation_id="rebuild_projection",
        summary="Build a view anew",
        status_code=HTTP_202_ACCEPTED,
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchReadModel, RebuildUnderWay) | DRY_RUN,
    )
    async def rebuild(
        self,
        request: JsonRequest,
        name: Name,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[RebuildTaken]:
        """Have the workers fold the log into a new table beside the one that serves, which it replaces once it has come up.

        Reads and writes go on meanwhile. How far it is stands in `rebuilds` at the Location.
        """
        require_model(name)
        command, reason = RebuildReadModel(name, BY_NAME[name].version), data.reason if data else None
        if (tried := await tried_out(request, command, reason=reason)) is not None:
            return tried
        outcome = await ask(request, command, reason)
        headers = recorded_headers(outcome) | {"Location": STATUS}
        return Response(RebuildTaken(name, STATUS), status_code=HTTP_202_ACCEPTED, headers=headers)

    @get(
        "/{name:str}/parked",
        operation_id="parked_events",
        summary="What a view could not take",
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, NoSuchReadModel, CURSOR, StoreUnavailable),
    )
    async def parked(
        self, request: JsonRequest, name: Name, limit: Limit = 50, cursor: Cursor = None
    ) -> Response[ParkedEventList]:
        """The parked events of a view with their causes, the earliest first."""
        require_model(name)
        place = f"parked events {name}"
        after = place_after(request, place, cursor, tuple[int, str])
        page = await parked_events(runtime_of(request).reader, name, after=after, limit=limit)
        following = sealed_place(request, place, page.next)
        headers = page_headers(request, page.position, following, limit=limit)
        return Response(ParkedEventList(page.items, following), headers=headers)

    @post(
        "/{name:str}/parked/retry",
        operation_id="retry_parked_events",
        summary="Try again what a view could not take",
        status_code=HTTP_204_NO_CONTENT,
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchReadModel, StaleVersion) | DRY_RUN,
    )
    async def retry(
        self,
        request: JsonRequest,
        name: Name,
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[RetryBody | None] = None,
    ) -> Response[None]:
        """Have the parked events of a user, or of everyone, tried again at once. Safe to repeat."""
        require_model(name)
        data = data or RetryBody()
        command = RetryParkedEvents(name, data.key)
        return await answered(request, command, stream_id(name), if_match=if_match, reason=data.reason)

    @post(
        "/{name:str}/parked/{position:int}/discard",
        operation_id="discard_parked_event",
        summary="Do without what a view could not take",
        status_code=HTTP_204_NO_CONTENT,
        guards=[may("operations")],
        security=[{"token": []}],
        responses=declared(
            TOKEN, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchReadModel, NoSuchParkedEvent, StaleVersion
        )
        | DRY_RUN,
    )
    async def discard(
        self,
        request: JsonRequest,
        name: Name,
        position: Position,
        data: JSONBody[DiscardBody],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
    ) -> Response[None]:
        """Have the view pass over this event, now and when it is built again; later ones of the user go on. Safe to repeat."""
        require_model(name)
        command = DiscardParkedEvent(name, position)
        return await answered(request, command, stream_id(name), if_match=if_match, reason=data.reason)
