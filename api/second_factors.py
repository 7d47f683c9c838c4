"""The second factor of an account: an authenticator app, and recovery codes for the day on which it is lost."""

from uuid import UUID

from litestar import Controller, Response, delete, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from api.asking import answered, ask, recorded_headers
from api.auth import in_session
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun, only_at, user_etag
from api.declared import BODY, COMMAND, DRY_RUN, IN_SESSION, PARAMETERS, STEP_UP, declared
from api.fields import Reason, TotpCode
from api.reasons import StaleVersion
from api.roles import ReasonBody
from api.step_up import require_step_up
from api.views import require_sight
from commands.enrol_totp import ConfirmTotp, Enrolled, EnrolTotp
from commands.errors import (
    FactorThere,
    NoSecondFactor,
    NoSuchSession,
    NoSuchUser,
    NotEnrolled,
    WrongSecondFactor,
)
from commands.issue_recovery_codes import Issued, IssueRecoveryCodes
from commands.remove_totp import RemoveTotp

__all__ = ["SecondFactors"]


class ConfirmBody(Body, frozen=True):
    """The code that the app shows now."""

    code: TotpCode
    reason: Reason | None = None


class SecondFactors(Controller):
    """One's own; nobody has another's."""

    path = "/v1/users/{user_id:uuid}"
    tags = ("Second factors",)

    @post(
        "/totp",
        operation_id="enrol_totp",
        summary="Enrol an authenticator app",
        status_code=HTTP_200_OK,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, STEP_UP, BODY, COMMAND, PARAMETERS, NoSuchUser, FactorThere, StaleVersion),
    )
    async def enrol(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[Enrolled]:
        """Be shown a secret for an authenticator app (TOTP, RFC 6238), this once: as text, and as a URI that apps read.

        It counts for nothing before a first code has confirmed it. Asked again before that, it is another one.
        """
        require_sight(request, user_id, None)
        await require_step_up(request)
        command = only_at(EnrolTotp(user_id), user_id, if_match)
        outcome = await ask(request, command, data.reason if data else None)
        return Response(outcome.result, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))

    @post(
        "/totp/confirm",
        operation_id="confirm_totp",
        summary="Confirm an authenticator app",
        status_code=HTTP_200_OK,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(
            IN_SESSION,
            BODY,
            COMMAND,
            PARAMETERS,
            NoSuchUser,
            NoSuchSession,
            FactorThere,
            NotEnrolled,
            WrongSecondFactor,
            StaleVersion,
        ),
    )
    async def confirm(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[ConfirmBody], if_match: IfMatch = None
    ) -> Response[Issued]:
        """Show with a first code that the app has the secret. From now on signing in takes a code beside the password.

        Ten recovery codes are answered, each good once in place of a code; they are shown this once. Older access tokens
        count no longer: refresh the session for one that knows of the factor.
        """
        require_sight(request, user_id, None)
        assert request.user is not None
        command = only_at(ConfirmTotp(user_id, data.code, request.user.session_id), user_id, if_match)
        outcome = await ask(request, command, data.reason)
        return Response(outcome.result, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))

    @delete(
        "/totp",
        operation_id="remove_totp",
        summary="Remove the authenticator app",
        status_code=HTTP_204_NO_CONTENT,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, STEP_UP, BODY, COMMAND, PARAMETERS, NoSuchUser, StaleVersion) | DRY_RUN,
    )
    async def remove(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Let codes of the app, and the recovery codes that stood in for them, count no longer. Safe to repeat."""
        require_sight(request, user_id, None)
        await require_step_up(request)
        reason = data.reason if data else None
        return await answered(request, RemoveTotp(user_id), user_id, if_match=if_match, reason=reason)

    @post(
        "/recovery-codes",
        operation_id="issue_recovery_codes",
        summary="Have other recovery codes",
        status_code=HTTP_200_OK,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, STEP_UP, BODY, COMMAND, PARAMETERS, NoSuchUser, NoSecondFactor, StaleVersion),
    )
    async def issue_recovery_codes(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[Issued]:
        """Be shown ten new recovery codes, this once. Those of before are dead."""
        require_sight(request, user_id, None)
        await require_step_up(request)
        command = only_at(IssueRecoveryCodes(user_id), user_id, if_match)
        outcome = await ask(request, command, data.reason if data else None)
        return Response(outcome.result, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))
