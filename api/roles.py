"""Roles of users: who may do what."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, put
from litestar.params import FromPath, JSONBody, PathParameter
from litestar.status_codes import HTTP_204_NO_CONTENT

from api.asking import answered
from api.auth import may
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun
from api.declared import BODY, COMMAND, DRY_RUN, PARAMETERS, STEP_UP, TOKEN, declared
from api.fields import Reason
from api.reasons import NotPermitted, StaleVersion
from api.step_up import require_step_up
from commands.errors import AddressNotProved, LastAdministrator, NoSuchRole, NoSuchUser
from commands.grant_role import GrantRole, RevokeRole
from commands.handler import Command
from commands.roles import ROLES

__all__ = ["Roles"]


Role = Annotated[str, PathParameter(schema_extra={"enum": sorted(ROLES)}, description="What the user may do.")]


class ReasonBody(Body, frozen=True):
    """Why it is done."""

    reason: Reason | None = None


class Roles(Controller):
    """Granting and revoking. Either takes effect at once: older access tokens of the user count no longer."""

    path = "/v1/users/{user_id:uuid}/roles/{role:str}"
    tags = ("Roles",)

    @put(
        operation_id="grant_role",
        summary="Grant a role",
        status_code=HTTP_204_NO_CONTENT,
        guards=[may("users:write")],
        security=[{"token": []}],
        responses=declared(
            TOKEN,
            STEP_UP,
            BODY,
            COMMAND,
            PARAMETERS,
            NotPermitted,
            NoSuchUser,
            NoSuchRole,
            AddressNotProved,
            StaleVersion,
        )
        | DRY_RUN,
    )
    async def grant(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        role: Role,
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Let the user have a role: `administrator`, `auditor` or `analyst`. Safe to repeat."""
        return await _changed(request, GrantRole(user_id, role), user_id, if_match, data)

    @delete(
        operation_id="revoke_role",
        summary="Revoke a role",
        status_code=HTTP_204_NO_CONTENT,
        guards=[may("users:write")],
        security=[{"token": []}],
        responses=declared(
            TOKEN,
            STEP_UP,
            BODY,
            COMMAND,
            PARAMETERS,
            NotPermitted,
            NoSuchUser,
            NoSuchRole,
            LastAdministrator,
            StaleVersion,
        )
        | DRY_RUN,
    )
    async def revoke(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        role: Role,
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Take a role from the user. Safe to repeat. One administrator always remains."""
        return await _changed(request, RevokeRole(user_id, role), user_id, if_match, data)


async def _changed(
    request: JsonRequest, command: Command[None], user_id: UUID, if_match: str | None, data: ReasonBody | None
) -> Response[None]:
    await require_step_up(request)
    return await answered(request, command, user_id, if_match=if_match, reason=data.reason if data else None)
