"""Shutting people out, and letting them in again."""

from uuid import UUID

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_204_NO_CONTENT

from api.asking import answered, ask, recorded_headers
from api.auth import anyone, may, not_permitted
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun, only_at, user_etag
from api.declared import BODY, COMMAND, DRY_RUN, PARAMETERS, STEP_UP, TOKEN, declared
from api.devices import device_cookie
from api.fields import LinkToken, Reason
from api.limits import VERIFICATION, limited
from api.reasons import NotPermitted, SignInRequired, StaleVersion
from api.roles import ReasonBody
from api.step_up import require_step_up
from commands.errors import InvalidLink, LastAdministrator, LinkExpired, LinkSpent, NoSuchUser
from commands.suspend_user import ReinstateUser, SuspendUser
from commands.unlock_user import UnlockByLink, UnlockUser

__all__ = ["Suspensions"]


class UnlockBody(Body, frozen=True):
    """The token that was mailed to the owner or, of an administrator, why."""

    token: LinkToken | None = None
    reason: Reason | None = None


class Suspensions(Controller):
    """Suspending is an administrator's doing, locking is what too many failed sign-ins bring about."""

    path = "/v1/users/{user_id:uuid}"
    tags = ("Users",)

    @post(
        "/suspend",
        operation_id="suspend_user",
        summary="Suspend",
        status_code=HTTP_204_NO_CONTENT,
        guards=[may("users:write")],
        security=[{"token": []}],
        responses=declared(
            TOKEN, STEP_UP, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchUser, LastAdministrator, StaleVersion
        )
        | DRY_RUN,
    )
    async def suspend(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Shut the user out. Every session ends at once. Safe to repeat; one administrator always remains."""
        await require_step_up(request)
        reason = data.reason if data else None
        return await answered(request, SuspendUser(user_id), user_id, if_match=if_match, reason=reason)

    @post(
        "/reinstate",
        operation_id="reinstate_user",
        summary="Reinstate",
        status_code=HTTP_204_NO_CONTENT,
        guards=[may("users:write")],
        security=[{"token": []}],
        responses=declared(TOKEN, STEP_UP, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchUser, StaleVersion) | DRY_RUN,
    )
    async def reinstate(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Let the user in again. Safe to repeat."""
        await require_step_up(request)
        reason = data.reason if data else None
        return await answered(request, ReinstateUser(user_id), user_id, if_match=if_match, reason=reason)

    @post(
        "/unlock",
        operation_id="unlock_user",
        summary="Unlock",
        status_code=HTTP_204_NO_CONTENT,
        guards=[anyone],
        security=[{}, {"token": []}],
        responses=declared(
            TOKEN,
            BODY,
            COMMAND,
            PARAMETERS,
            NotPermitted,
            NoSuchUser,
            InvalidLink,
            LinkExpired,
            LinkSpent,
            StaleVersion,
        )
        | DRY_RUN,
    )
    async def unlock(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[UnlockBody | None] = None,
    ) -> Response[None]:
        """Let any device sign in again after too many failed: with `users:write`, or with the token that was mailed."""
        if data is not None and data.token is not None:
            await limited(request, VERIFICATION)
            command = only_at(UnlockByLink(user_id, data.token), user_id, if_match)
            outcome = await ask(request, command, data.reason)
            headers = recorded_headers(outcome, user_etag(outcome.version, request.user))
            return Response(None, headers=headers, cookies=[device_cookie(request, outcome.result.device)])
        if request.user is None:
            raise SignInRequired
        if not request.user.may("users:write"):
            raise not_permitted("users:write")
        reason = data.reason if data else None
        return await answered(request, UnlockUser(user_id), user_id, if_match=if_match, reason=reason)
