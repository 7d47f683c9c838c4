"""What is noted about a user, in two compartments: the user's own, and the administrators'."""

from typing import Final
from uuid import UUID

from litestar import Controller, Response, patch, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_204_NO_CONTENT
from msgspec import UNSET, UnsetType

from api.asking import answered
from api.auth import not_permitted, signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun
from api.declared import BODY, COMMAND, DRY_RUN, PARAMETERS, TOKEN, declared
from api.fields import CHECKS, Entries, Reason
from api.reasons import NotPermitted, StaleVersion
from api.views import require_sight
from commands.change_metadata import ChangeMetadata
from commands.errors import InvalidMetadata, NoSuchUser

__all__ = ["Metadata"]


class MetadataBody(Body, frozen=True):
    """Entries by compartment; one that is left out stays as it is."""

    own: Entries | UnsetType = UNSET
    admin: Entries | UnsetType = UNSET
    reason: Reason | None = None

    checks = CHECKS


RESPONSES: Final[dict[int, ResponseSpec]] = (
    declared(TOKEN, BODY, COMMAND, PARAMETERS, InvalidMetadata, NotPermitted, NoSuchUser, StaleVersion) | DRY_RUN
)


class Metadata(Controller):
    """Anyone changes their own compartment; whoever has `users:write` changes both, of anyone. Only they see `admin`."""

    path = "/v1/users/{user_id:uuid}/metadata"
    tags = ("Users",)

    @put(
        operation_id="replace_metadata",
        summary="Replace metadata",
        status_code=HTTP_204_NO_CONTENT,
        guards=[signed_in],
        security=[{"token": []}],
        responses=RESPONSES,
    )
    async def replace(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        data: JSONBody[MetadataBody],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
    ) -> Response[None]:
        """Put these entries in the place of all that a compartment has."""
        return await _changed(request, user_id, data, if_match, replace=True)

    @patch(
        operation_id="merge_metadata",
        summary="Merge metadata",
        status_code=HTTP_204_NO_CONTENT,
        guards=[signed_in],
        security=[{"token": []}],
        responses=RESPONSES,
    )
    async def merge(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        data: JSONBody[MetadataBody],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
    ) -> Response[None]:
        """Merge these entries into a compartment (RFC 7396): null removes, objects are merged into objects."""
        return await _changed(request, user_id, data, if_match, replace=False)


async def _changed(
    request: JsonRequest, user_id: UUID, data: MetadataBody, if_match: str | None, *, replace: bool
) -> Response[None]:
    require_sight(request, user_id, "users:write")
    assert request.user is not None
    if not isinstance(data.admin, UnsetType) and not request.user.may("users:write"):
        raise not_permitted("users:write")
    command = ChangeMetadata(user_id, data.own, data.admin, replace)
    return await answered(request, command, user_id, if_match=if_match, reason=data.reason)
