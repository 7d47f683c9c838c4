"""The address of an account: proving it, changing it, and taking it back."""

from typing import Final
from uuid import UUID

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from api.alarms import alarmed
from api.asking import Accepted, accepted, ask, recorded_headers
from api.auth import anyone, in_session
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, only_at, user_etag
from api.declared import BODY, COMMAND, HASHING, IN_SESSION, PARAMETERS, STEP_UP, TOKEN, declared
from api.even_answers import even
from api.fields import CHECKS_BESIDE_PASSWORD, Email, LinkToken, PresentPassword, Reason
from api.limits import VERIFICATION, limited
from api.reasons import FieldError, InvalidFields, NotFound, StaleVersion
from api.roles import ReasonBody
from api.step_up import require_step_up
from api.views import require_sight
from commands.change_email import ChangeEmail
from commands.errors import (
    AddressTaken,
    InvalidLink,
    LinkExpired,
    LinkSpent,
    NoSuchUser,
    TooManyAttempts,
    WrongPassword,
)
from commands.request_verification import RequestVerification
from commands.roles import WRITE_OWN
from commands.undo_email_change import UndoEmailChange
from commands.verify_email import VerifyEmail

__all__ = ["Addresses"]


REASON_OF_NOBODY: Final = FieldError(pointer="/reason", detail="Only whoever is signed in gives a reason.")


class VerifyBody(Body, frozen=True):
    """What proves the address."""

    token: LinkToken


class EmailChangeBody(Body, frozen=True):
    """The new address, and the present password once more."""

    email: Email
    password: PresentPassword
    reason: Reason | None = None

    checks = CHECKS_BESIDE_PASSWORD


class Addresses(Controller):
    """Whoever reads the mail that goes to an address can prove that it is theirs."""

    path = "/v1/users/{user_id:uuid}/email"
    tags = ("Addresses",)

    @post(
        "/verify",
        operation_id="verify_email",
        summary="Prove an address",
        status_code=HTTP_204_NO_CONTENT,
        responses=declared(
            *(BODY, COMMAND, PARAMETERS),
            *(NotFound, InvalidLink, LinkExpired, LinkSpent, AddressTaken, StaleVersion),
        ),
    )
    async def verify_email(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[VerifyBody], if_match: IfMatch = None
    ) -> Response[None]:
        """Prove that an address is one's own, with the token that was mailed to it. The newest one works, once.

        For a change of address, this is the moment at which it changes; the former address is told how to undo it.
        """
        await limited(request, VERIFICATION)
        outcome = await ask(request, only_at(VerifyEmail(user_id, data.token), user_id, if_match))
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, None)))

    @post(
        "/change",
        operation_id="change_email",
        summary="Change the address",
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
            WrongPassword,
            TooManyAttempts,
            StaleVersion,
        ),
    )
    async def change_email(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        data: JSONBody[EmailChangeBody],
        if_match: IfMatch = None,
    ) -> Response[None]:
        """Ask for another address of one's own. It is mailed a link, and changes once that is used.

        The answer does not tell whether somebody has that address already.
        """
        require_sight(request, user_id, None)
        await require_step_up(request)
        await limited(request, VERIFICATION, account=data.email)
        command = only_at(ChangeEmail(user_id, data.email, data.password), user_id, if_match)
        with alarmed("a stored password", WrongPassword):
            outcome = await ask(request, command, data.reason)
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))

    @post(
        "/resend",
        operation_id="resend_verification",
        summary="Have the link mailed again",
        status_code=HTTP_202_ACCEPTED,
        guards=[anyone],
        security=[{}, {"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, PARAMETERS, NotFound),
    )
    async def resend(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[ReasonBody | None] = None
    ) -> Response[Accepted]:
        """Have the link mailed once more that proves the address, five times an hour at most.

        The answer is the same and takes as long where there is no such user and nothing to prove. Whoever is signed in
        has the link of the change mailed again that they asked for, and may say why.
        """
        even(request)
        await limited(request, VERIFICATION, account=user_id)
        caller, reason = request.user, data.reason if data else None
        if caller is None and reason is not None:
            raise InvalidFields(errors=[REASON_OF_NOBODY])
        oneself = caller is not None and caller.user_id == user_id and caller.may_oneself(WRITE_OWN)
        await ask(request, RequestVerification(user_id, oneself), reason)
        return accepted()

    @post(
        "/undo",
        operation_id="undo_email_change",
        summary="Take an account back",
        status_code=HTTP_204_NO_CONTENT,
        responses=declared(BODY, COMMAND, PARAMETERS, NotFound, InvalidLink, LinkExpired, LinkSpent, StaleVersion),
    )
    async def undo(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[VerifyBody], if_match: IfMatch = None
    ) -> Response[None]:
        """Give the account its former address back, with the token that was mailed to that one when it changed.

        Every session ends, second factors that were added since shortly before the change are gone, and so is the
        password: have it reset.
        """
        await limited(request, VERIFICATION)
        outcome = await ask(request, only_at(UndoEmailChange(user_id, data.token), user_id, if_match))
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, None)))
