"""Stepping up: proving once more who one is, in a session that goes on."""

from typing import Any, Literal
from uuid import UUID

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from api.alarms import alarmed
from api.asking import ask, recorded_headers
from api.auth import in_session
from api.bodies import Body, JsonRequest
from api.credentials import Assertion, plain
from api.declared import BODY, COMMAND, HASHING, IN_SESSION, PARAMETERS, declared
from api.fields import PresentPassword, Reason, RecoveryCode, TotpCode
from api.sessions import access_token
from commands.errors import (
    NoSecondFactor,
    NoSuchSession,
    SecondFactorRequired,
    TooManyAttempts,
    WrongPassword,
    WrongSecondFactor,
)
from commands.step_up import StepUp

__all__ = ["SteppingUp"]


class StepUpBody(Body, frozen=True):
    """The password or, where there is a second factor, that; and why."""

    password: PresentPassword | UnsetType = UNSET
    totp: TotpCode | UnsetType = UNSET
    recovery_code: RecoveryCode | UnsetType = UNSET
    passkey: Assertion | UnsetType = UNSET
    reason: Reason | None = None

    forms = (("password",), ("totp",), ("recovery_code",), ("passkey",))
    beside = ("reason",)


class SteppedUpToken(Struct, frozen=True):
    """An access token that tells of the proof; the refresh token stays the one that it was."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class SteppingUp(Controller):
    """For the session in which it is asked, and no other."""

    path = "/v1/sessions/{session_id:uuid}/step-up"
    tags = ("Sessions",)

    @post(
        operation_id="step_up",
        summary="Step up",
        status_code=HTTP_200_OK,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(
            IN_SESSION,
            BODY,
            COMMAND,
            HASHING,
            PARAMETERS,
            NoSuchSession,
            WrongPassword,
            WrongSecondFactor,
            SecondFactorRequired,
            NoSecondFactor,
            TooManyAttempts,
        ),
    )
    async def step_up(
        self, request: JsonRequest, session_id: FromPath[UUID], data: JSONBody[StepUpBody]
    ) -> Response[SteppedUpToken]:
        """Prove once more who you are: with the password or, where the account has a second factor, with that.

        A fresh access token of the same session is answered, with which what is dangerous can be done for a while.
        """
        caller = request.user
        assert caller is not None
        if caller.session_id != session_id:
            raise NoSuchSession
        given: dict[str, Any] = {
            name: plain(value) if isinstance(value, Assertion) else value
            for name, value in asdict(data).items()
            if name != "reason" and not isinstance(value, UnsetType)
        }
        with alarmed("a stored secret", WrongPassword if "password" in given else WrongSecondFactor):
            outcome = await ask(request, StepUp(session_id, caller.user_id, **given), data.reason)
        token, seconds = access_token(request, outcome, outcome.position)
        return Response(SteppedUpToken(token, "Bearer", seconds), headers=recorded_headers(outcome))
