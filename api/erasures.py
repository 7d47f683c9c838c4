"""Being forgotten: at once by an administrator, or by oneself after a time in which it can be withdrawn."""

from typing import Final
from uuid import UUID

from litestar import Controller, Response, delete, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_204_NO_CONTENT

from api.alarms import alarmed
from api.asking import answered, ask, recorded_headers
from api.auth import signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun, only_at, user_etag
from api.declared import BODY, COMMAND, DRY_RUN, HASHING, PARAMETERS, STEP_UP, TOKEN, declared
from api.fields import LinkToken, PresentPassword, Reason
from api.limits import VERIFICATION, limited
from api.reasons import FieldError, InvalidFields, NotFound, StaleVersion
from api.roles import ReasonBody
from api.step_up import require_step_up
from api.views import require_sight
from commands.erase_user import EraseUser
from commands.errors import (
    InvalidLink,
    LastAdministrator,
    LinkExpired,
    LinkSpent,
    NoSuchUser,
    TooManyAttempts,
    WrongPassword,
)
from commands.request_erasure import RequestErasure
from commands.withdraw_erasure import WithdrawErasure, WithdrawErasureByLink

__all__ = ["Erasures"]

NEEDS_PASSWORD: Final = FieldError(
    pointer="/password", detail="Whoever asks to be erased themselves gives their password."
)


class EraseBody(Body, frozen=True):
    """The present password of whoever asks for themselves or, of an administrator, why: that is forgotten with the rest."""

    password: PresentPassword | None = None
    reason: Reason | None = None


class WithdrawBody(Body, frozen=True):
    """What came by mail."""

    token: LinkToken


class Erasures(Controller):
    """What is personal is sealed under a key of each person; to erase a person is to destroy it."""

    path = "/v1/users/{user_id:uuid}/erase"
    tags = ("Users",)

    @post(
        operation_id="erase_user",
        summary="Erase",
        status_code=HTTP_204_NO_CONTENT,
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(
            *(TOKEN, STEP_UP, BODY, COMMAND, PARAMETERS, HASHING),
            *(NoSuchUser, LastAdministrator, WrongPassword, TooManyAttempts, StaleVersion),
        )
        | DRY_RUN,
    )
    async def erase(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[EraseBody | None] = None,
    ) -> Response[None]:
        """Forget everything personal about a user, for good.

        With `users:write`, another user is erased at once: every session ends, and the address is free. Of oneself, with
        the present password, it is done after some days (a setting), in which it can be withdrawn; `erasure_due_at` in
        the view says when, and so does a mail. Safe to repeat; one administrator always remains.
        """
        require_sight(request, user_id, "users:write")
        await require_step_up(request)
        caller = request.user
        reason = data.reason if data else None
        if caller is None or caller.user_id != user_id:
            return await answered(request, EraseUser(user_id), user_id, if_match=if_match, reason=reason)
        if data is None or data.password is None:
            raise InvalidFields(errors=[NEEDS_PASSWORD])
        command = only_at(RequestErasure(user_id, data.password), user_id, if_match)
        with alarmed("a stored password", WrongPassword):
            outcome = await ask(request, command, reason)
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, caller)))

    @delete(
        operation_id="withdraw_erasure",
        summary="Withdraw an erasure",
        status_code=HTTP_204_NO_CONTENT,
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, PARAMETERS, NoSuchUser, StaleVersion) | DRY_RUN,
    )
    async def withdraw(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Keep the account of which an erasure was asked for. For oneself or, with `users:write`, for anyone; safe to repeat."""
        require_sight(request, user_id, "users:write")
        reason = data.reason if data else None
        return await answered(request, WithdrawErasure(user_id), user_id, if_match=if_match, reason=reason)

    @post(
        "/withdraw",
        operation_id="withdraw_erasure_by_link",
        summary="Withdraw an erasure by mail",
        status_code=HTTP_204_NO_CONTENT,
        responses=declared(BODY, COMMAND, PARAMETERS, NotFound, InvalidLink, LinkExpired, LinkSpent, StaleVersion),
    )
    async def withdraw_by_link(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[WithdrawBody], if_match: IfMatch = None
    ) -> Response[None]:
        """Keep the account, with the token that was mailed when its erasure was asked for."""
        await limited(request, VERIFICATION)
        outcome = await ask(request, only_at(WithdrawErasureByLink(user_id, data.token), user_id, if_match))
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, None)))
