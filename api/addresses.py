"""Proving the address of an account."""

from uuid import UUID

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_204_NO_CONTENT

from api.asking import ask, recorded_headers
from api.bodies import Body, JsonRequest
from api.declared import BODY, COMMAND, PARAMETERS, declared
from api.fields import LinkToken
from api.limits import VERIFICATION, limited
from api.reasons import NotFound
from api.views import user_etag
from commands.errors import InvalidLink, LinkExpired, LinkSpent
from commands.verify_email import VerifyEmail

__all__ = ["Addresses"]


class VerifyBody(Body, frozen=True):
    """What proves the address."""

    token: LinkToken


class Addresses(Controller):
    """Whoever reads the mail that goes to an address can prove that it is theirs."""

    path = "/v1/users"
    tags = ("Users",)

    @post(
        "/{user_id:uuid}/email/verify",
        operation_id="verify_email",
        summary="Prove the address",
        status_code=HTTP_204_NO_CONTENT,
        responses=declared(BODY, COMMAND, PARAMETERS, NotFound, InvalidLink, LinkExpired, LinkSpent),
    )
    async def verify_email(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[VerifyBody]
    ) -> Response[None]:
        """Prove that the address is one's own, with the token that was mailed to it. The newest one works, once."""
        await limited(request, VERIFICATION)
        outcome = await ask(request, VerifyEmail(user_id, data.token))
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, None)))
