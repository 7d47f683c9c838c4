"""Views of users: conditional, at a position that may be demanded, and never kept by what stands in between."""

from typing import cast
from uuid import UUID

from litestar import Response
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED
from msgspec import Struct
from msgspec.structs import replace

from api.asking import runtime_of
from api.auth import require_oneself
from api.bodies import JsonRequest
from api.caller import Caller
from api.conditions import demand, matches, user_etag
from commands.errors import NoSuchUser
from events.store import read_stream
from projections.folding import fold_whole
from projections.positions import Positions, ViewBehind
from projections.users import USERS
from queries.users import VIEW, UserView, view_of_row

__all__ = ["Reached", "made_view", "reached", "require_sight", "seen_by", "user_view"]


def require_sight(request: JsonRequest, user_id: UUID, permission: str | None) -> None:
    """Nobody else's account exists for those who may not see it; with no permission, for nobody but its holder.

    Raises `NoSuchUser`, and `NotPermitted` for an API key of the holder's that has no scope for it.
    """
    caller = request.user
    if caller is not None and permission is not None and caller.may(permission):
        return
    if caller is None or caller.user_id != user_id:
        raise NoSuchUser
    require_oneself(caller, request.method)


def seen_by(view: UserView, caller: Caller | None) -> UserView:
    """What the caller may see: what administrators note of a user is for those who may see everyone."""
    if caller is not None and caller.may("users:read"):
        return view
    return replace(view, metadata={"own": view.metadata["own"]})


class Reached(Struct, frozen=True):
    """What a request demands of a view, which has reached it as far as is known; `applied` is the preference honoured."""

    positions: Positions
    view: str
    position: int
    applied: dict[str, str]

    def hold(self, position: int) -> None:
        """Raise `ViewBehind` for an answer that reflects less all the same."""
        if position < self.position:
            self.positions.doubted(self.view)
            raise ViewBehind(self.position, position)


async def reached(
    request: JsonRequest, user_id: UUID | None, min_position: str | None, prefer: str | None, view: str = VIEW
) -> Reached:
    """Come back when a view has reached what the request demands. Raises `ViewBehind`."""
    demanded, positions = demand(min_position, prefer), runtime_of(request).positions
    if demanded.position:
        await positions.wait(view, user_id, demanded.position, demanded.wait)
    return Reached(positions, view, demanded.position, dict(demanded.applied))


async def user_view(
    request: JsonRequest, user_id: UUID, if_none_match: str | None, min_position: str | None, prefer: str | None
) -> Response[UserView]:
    """A user as the view has them, or 304. Raises `NoSuchUser`, and `ViewParked` where the view does not know."""
    demanded = await reached(request, user_id, min_position, prefer)
    reads = runtime_of(request).users
    view, position = await demanded.positions.ask(lambda table: reads.user_by_id(user_id, table), VIEW)
    demanded.hold(position)
    if view is None:
        raise NoSuchUser
    tag = user_etag(view.version, request.user, view.updated_at, view.last_seen_at)
    headers = {"ETag": tag, "Event-Position": str(position), "Cache-Control": "no-store", **demanded.applied}
    if matches(if_none_match, tag):
        return cast("Response[UserView]", Response(None, status_code=HTTP_304_NOT_MODIFIED, headers=headers))
    return Response(seen_by(view, request.user), status_code=HTTP_200_OK, headers=headers)


async def made_view(request: JsonRequest, user_id: UUID, version: int) -> UserView:
    """The view of someone who was made this moment, by the same fold: whether the projection has come so far or not."""
    process = runtime_of(request)
    history = await read_stream(process.writer, process.keys, user_id, until=version)
    rows = fold_whole(USERS, history)
    if not rows:
        raise NoSuchUser
    (row,) = rows
    return view_of_row(row)
