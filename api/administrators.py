"""The first administrator, who signs up with the one link that the operator was shown."""

from uuid import UUID

from litestar import Controller, Response, post
from litestar.params import JSONBody
from litestar.status_codes import HTTP_201_CREATED
from msgspec import Struct

from api.asking import ask, recorded_headers
from api.bodies import Body, JsonRequest
from api.declared import BODY, COMMAND, HASHING, declared
from api.fields import CHECKS, DisplayName, Email, LinkToken, Password
from api.limits import REGISTRATION, limited
from commands.errors import AddressTaken, InvalidLink, LinkExpired, LinkSpent
from commands.first_administrator import SignUpFirstAdministrator

__all__ = ["Administrators"]


class FirstAdministratorBody(Body, frozen=True):
    """Who the first administrator is to be."""

    token: LinkToken
    email: Email
    password: Password
    display_name: DisplayName | None = None

    checks = CHECKS


class Administrator(Struct, frozen=True):
    """The new administrator's id."""

    id: UUID


class Administrators(Controller):
    """There is no default account: the first administrator is whoever was given the operator's link."""

    path = "/v1/administrators"
    tags = ("Users",)

    @post(
        operation_id="sign_up_first_administrator",
        summary="Become the first administrator",
        status_code=HTTP_201_CREATED,
        responses=declared(BODY, COMMAND, HASHING, InvalidLink, LinkExpired, LinkSpent, AddressTaken),
    )
    async def sign_up(self, request: JsonRequest, data: JSONBody[FirstAdministratorBody]) -> Response[Administrator]:
        """The link that `muster migrate` and `muster up` show works once; the address counts as proved."""
        await limited(request, REGISTRATION)
        command = SignUpFirstAdministrator(data.token, data.email, data.password, data.display_name)
        outcome = await ask(request, command)
        user_id = outcome.result.user_id
        headers = recorded_headers(outcome) | {"Location": f"/v1/users/{user_id}"}
        return Response(Administrator(user_id), status_code=HTTP_201_CREATED, headers=headers)
