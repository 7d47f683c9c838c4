"""Changing a password, and having it reset by mail."""

from uuid import UUID

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from api.alarms import alarmed
from api.asking import Accepted, accepted, ask, recorded_headers
from api.auth import in_session
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, only_at, user_etag
from api.declared import BODY, COMMAND, HASHING, IN_SESSION, PARAMETERS, STEP_UP, declared
from api.devices import device_cookie
from api.even_answers import even
from api.fields import CHECKS, CHECKS_BESIDE_PASSWORD, AnyAddress, LinkToken, Password, PresentPassword, Reason
from api.limits import RESET, limited
from api.reasons import StaleVersion
from api.step_up import require_step_up
from api.views import require_sight
from commands.change_password import ChangePassword
from commands.errors import (
    InvalidLink,
    LinkExpired,
    LinkSpent,
    NoSuchUser,
    TooManyAttempts,
    WeakPassword,
    WrongPassword,
)
from commands.request_password_reset import RequestPasswordReset
from commands.reset_password import ResetPassword

__all__ = ["Passwords", "Resets"]


class PasswordChangeBody(Body, frozen=True):
    """The present password and the next."""

    password: PresentPassword
    new_password: Password
    reason: Reason | None = None

    checks = CHECKS_BESIDE_PASSWORD


class ResetBody(Body, frozen=True):
    """Whose password is to be reset."""

    email: AnyAddress


class ResetCompleteBody(Body, frozen=True):
    """The link's token and the new password."""

    token: LinkToken
    password: Password

    checks = CHECKS


class Passwords(Controller):
    """One's own password; nobody sets another's."""

    path = "/v1/users/{user_id:uuid}/password"
    tags = ("Passwords",)

    @post(
        "/change",
        operation_id="change_password",
        summary="Change the password",
        status_code=HTTP_204_NO_CONTENT,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(
            IN_SESSION,
            STEP_UP,
            BODY,
            COMMAND,
            PARAMETERS,
            HASHING,
            NoSuchUser,
            WeakPassword,
            WrongPassword,
            TooManyAttempts,
            StaleVersion,
        ),
    )
    async def change(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        data: JSONBody[PasswordChangeBody],
        if_match: IfMatch = None,
    ) -> Response[None]:
        """Choose another password. Every session ends, also this one: sign in with the new password."""
        require_sight(request, user_id, None)
        await require_step_up(request)
        command = only_at(ChangePassword(user_id, data.password, data.new_password), user_id, if_match)
        with alarmed("a stored password", WrongPassword):
            outcome = await ask(request, command, data.reason)
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))


class Resets(Controller):
    """For those who have forgotten it."""

    path = "/v1/password/reset"
    tags = ("Passwords",)

    @post(
        operation_id="request_password_reset",
        summary="Ask for a new password",
        status_code=HTTP_202_ACCEPTED,
        responses=declared(BODY, COMMAND),
    )
    async def request(self, request: JsonRequest, data: JSONBody[ResetBody]) -> Response[Accepted]:
        """Have a link mailed, if somebody has this address. The answer is the same and takes as long if nobody has."""
        even(request)
        await limited(request, RESET, account=data.email)
        await ask(request, RequestPasswordReset(data.email))
        return accepted()

    @post(
        "/complete",
        operation_id="reset_password",
        summary="Choose a new password",
        status_code=HTTP_204_NO_CONTENT,
        responses=declared(BODY, COMMAND, HASHING, InvalidLink, LinkExpired, LinkSpent, WeakPassword),
    )
    async def complete(self, request: JsonRequest, data: JSONBody[ResetCompleteBody]) -> Response[None]:
        """Choose a new password with the token that was mailed. Every session ends; an unproved address is proved by it."""
        await limited(request, RESET)
        outcome = await ask(request, ResetPassword(data.token, data.password))
        return Response(
            None,
            headers=recorded_headers(outcome, user_etag(outcome.version, None)),
            cookies=[device_cookie(request, outcome.result.device)],
        )
