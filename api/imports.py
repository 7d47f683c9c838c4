"""Moving in: users of another system, a row each, as many as there are."""

from typing import Final

import msgspec
from litestar import Controller, post
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from api.asking import context_of, handled, runtime_of
from api.auth import may
from api.bodies import JsonRequest, streamed
from api.conditions import PreferDryRun
from api.declared import LIMITED, PARAMETERS, STEP_UP, TOKEN, declared
from api.importing import doing, import_lines, rehearsing
from api.limits import COMMANDS, limited
from api.lines import lines
from api.reasons import NotPermitted, UnsupportedMediaType
from api.rehearsals import DRY_RUN, wants_dry_run
from api.spools import Spool
from api.step_up import require_step_up
from events.errors import QueueFull, StoreUnavailable
from events.store import head

__all__ = ["NDJSON", "Imports"]

NDJSON: Final = "application/x-ndjson"
_encode: Final = msgspec.json.Encoder().encode


class Imports(Controller):
    """People who were users elsewhere."""

    path = "/v1/imports"
    tags = ("Users",)

    @post(
        operation_id="import_users",
        summary="Import users",
        status_code=HTTP_200_OK,
        media_type=NDJSON,
        response_description="What became of each line that is not blank, a JSON object a line, and a summary.",
        guards=[may("users:write")],
        security=[{"token": []}],
        request_max_body_size=None,
        responses=declared(
            TOKEN, STEP_UP, PARAMETERS, LIMITED, NotPermitted, UnsupportedMediaType, StoreUnavailable, QueueFull
        ),
    )
    async def import_users(
        self,
        request: JsonRequest,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read by its name
    ) -> Stream:
        """A user a line in (NDJSON), of any length; what became of each a line out, in their order, and a summary at the end.

        What is here already is not changed, so the same rows may be sent again, after whatever went wrong: `unchanged`, or
        `differs` with the fields that do. Nothing is mailed. The answer comes when all rows are here. Rows may bring roles with
        them, so it takes a fresh proof of who asks, and no API key will do.
        """
        await require_step_up(request)  # rows may bring roles with them
        await limited(request, COMMANDS, account=request.user.user_id if request.user else None)
        body = streamed(request, NDJSON)
        process, context, dry_run = runtime_of(request), context_of(request), wants_dry_run(request)
        attempt = (
            rehearsing(process.handler, context)
            if dry_run
            else doing(lambda command, because: handled(process, command, because), context)
        )
        spool = Spool()
        try:
            summary = await import_lines(
                lines(body), attempt, lambda row: spool.write(_encode(row) + b"\n"), process.imports, dry_run=dry_run
            )
        except BaseException:
            spool.close()
            raise
        summary.position = summary.position or await head(process.reader)
        spool.write(_encode({"summary": summary}) + b"\n")
        headers = {"Event-Position": str(summary.position), "Cache-Control": "no-store"}
        if dry_run:
            headers["Preference-Applied"] = DRY_RUN
        return Stream(spool.chunks(), media_type=NDJSON, headers=headers)
