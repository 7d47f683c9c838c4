"""Service accounts: programs that act for nobody."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from litestar import Controller, Response, post
from litestar.params import JSONBody
from litestar.status_codes import HTTP_201_CREATED
from msgspec import Meta

from api.asking import ask, recorded_headers, tried_out
from api.auth import may
from api.bodies import Body, JsonRequest
from api.conditions import PreferDryRun, user_etag
from api.declared import BODY, COMMAND, DRY_RUN, TOKEN, declared
from api.fields import Label, Reason
from api.reasons import NotPermitted
from api.views import made_view
from commands.create_service_account import CreateServiceAccount
from commands.errors import InvalidLabel
from commands.labels import label
from queries.users import UserView

__all__ = ["ServiceAccounts"]


class ServiceAccountBody(Body, frozen=True):
    """What the account is to be."""

    name: Label
    description: Annotated[str, Meta(min_length=1, max_length=1000, description="What it is for.")] | None = None
    reason: Reason | None = None

    checks: ClassVar[dict[str, Callable[[Any, dict[str, Any]], object]]] = {
        "name": lambda value, _document: label(value)
    }


class ServiceAccounts(Controller):
    """Users that are no people. Whatever is done to users is done to them at `/v1/users/{id}`, but what takes a session."""

    path = "/v1/service-accounts"
    tags = ("API keys",)

    @post(
        operation_id="create_service_account",
        summary="Create a service account",
        status_code=HTTP_201_CREATED,
        guards=[may("users:write")],
        security=[{"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, NotPermitted, InvalidLabel) | DRY_RUN,
    )
    async def create(
        self,
        request: JsonRequest,
        data: JSONBody[ServiceAccountBody],
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
    ) -> Response[UserView]:
        """Have an account for a program, without address and password: it is entered by the API keys that you have issued.

        It may do what the roles say that you grant it. What it is for stands in its metadata, among those of administrators.
        """
        command = CreateServiceAccount(data.name, data.description)
        if (tried := await tried_out(request, command, reason=data.reason)) is not None:
            return tried
        outcome = await ask(request, command, data.reason)
        view = await made_view(request, outcome.result.user_id, outcome.version)
        headers = recorded_headers(outcome, user_etag(view.version, request.user, view.updated_at))
        return Response(view, headers=headers | {"Location": f"/v1/users/{view.id}"})
