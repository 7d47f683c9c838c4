"""Moving out, or to another Muster: all users, a row each, as an import takes them."""

from collections.abc import AsyncIterator

from litestar import Controller, get
from litestar.response import Stream

from api.asking import runtime_of
from api.auth import may
from api.bodies import JsonRequest
from api.declared import TOKEN, declared
from api.export_rows import line_of
from api.imports import NDJSON
from api.reasons import NotPermitted
from api.runtime import Runtime
from events.data_keys import DataKeys
from events.errors import StoreUnavailable
from events.store import head
from queries.user_exports import exported_users

__all__ = ["Exports"]


class Exports(Controller):
    """Everything there is about users, for another system."""

    path = "/v1/exports"
    tags = ("Users",)

    @get(
        "/users",
        operation_id="export_users",
        summary="Export users",
        media_type=NDJSON,
        response_description="All users, a JSON object a line.",
        guards=[may("users:read")],
        security=[{"token": []}],
        responses=declared(TOKEN, NotPermitted, StoreUnavailable),
    )
    async def users(self, request: JsonRequest) -> Stream:
        """All users by their ids, one a line (NDJSON), as they are at the position in `Event-Position`; without passwords.

        It comes from the log itself, so nothing is newer. An answer that was broken off ends without its last chunk.
        """
        process = runtime_of(request)
        position = await head(process.reader)
        headers = {"Event-Position": str(position), "Cache-Control": "no-store"}
        return Stream(_lines(process, position), media_type=NDJSON, headers=headers)


async def _lines(process: Runtime, position: int) -> AsyncIterator[bytes]:
    keys = DataKeys(process.keys.master)  # out of the process's own, those whom it serves would be driven
    async for users in exported_users(process.reader, keys, position):
        yield b"".join(map(line_of, users))
