"""API keys: what programs ask with, in somebody's name."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct
from msgspec.structs import asdict

from api.asking import answered, ask, recorded_headers, runtime_of
from api.auth import in_session, signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun
from api.declared import BODY, COMMAND, DRY_RUN, IN_SESSION, PARAMETERS, STEP_UP, TOKEN, declared
from api.fields import Label, Reason
from api.reasons import NotPermitted, StaleVersion
from api.roles import ReasonBody
from api.step_up import require_step_up
from api.views import require_sight
from commands.api_keys import prefix_of
from commands.api_keys_of_user import api_keys_of_user
from commands.errors import (
    InvalidExpiry,
    InvalidLabel,
    InvalidScope,
    NoSuchApiKey,
    NoSuchUser,
    ScopeNotHeld,
    TooManyApiKeys,
)
from commands.issue_api_key import IssueApiKey, known_scopes
from commands.labels import label
from commands.revoke_api_key import RevokeApiKey
from events.errors import StoreUnavailable

__all__ = ["ApiKeys"]

USUAL_DAYS: Final = 90
MOST_DAYS: Final = 3650

Scope = Literal[
    "account:read",
    "account:write",
    "users:read",
    "users:write",
    "audit:read",
    "statistics:read",
    "operations",
]
Scopes = Annotated[
    list[Scope],
    Meta(
        min_length=1,
        max_length=32,
        description="What the key may do: permissions that the user has, `account:read` and `account:write`.",
        examples=[["account:read"]],
    ),
]
Days = Annotated[
    int,
    Meta(ge=1, le=MOST_DAYS, description="After how many days it expires; a setting tells how many may be asked for."),
]


class ApiKeyBody(Body, frozen=True):
    """What the key is to be."""

    name: Label
    scopes: Scopes
    expires_in_days: Days | None = None
    reason: Reason | None = None

    checks: ClassVar[dict[str, Callable[[Any, dict[str, Any]], object]]] = {
        "name": lambda value, _document: label(value),
        "scopes": lambda value, _document: known_scopes(value),
    }


class IssuedApiKey(Struct, frozen=True):
    """The key, which is shown this once: nothing that is kept can tell it again."""

    id: UUID
    key: str
    prefix: str
    name: str
    scopes: list[str]
    expires_at: datetime


class ApiKeyView(Struct, frozen=True):
    """What is known of a key. `prefix` is how it begins; `last_used_on` is a day, in UTC."""

    id: UUID
    prefix: str
    name: str
    scopes: list[str]
    status: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime
    last_used_on: date | None


class ApiKeyList(Struct, frozen=True):
    """All that live and the newest of the others, the newest first."""

    items: list[ApiKeyView]


class ApiKeys(Controller):
    """One's own; those with `users:read` see anyone's, and those with `users:write` may revoke them."""

    path = "/v1/users/{user_id:uuid}/api-keys"
    tags = ("API keys",)

    @post(
        operation_id="issue_api_key",
        summary="Issue an API key",
        status_code=HTTP_201_CREATED,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(
            IN_SESSION,
            STEP_UP,
            BODY,
            COMMAND,
            PARAMETERS,
            NoSuchUser,
            InvalidLabel,
            InvalidScope,
            InvalidExpiry,
            ScopeNotHeld,
            TooManyApiKeys,
        ),
    )
    async def issue(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[ApiKeyBody]
    ) -> Response[IssuedApiKey]:
        """Be shown a new key, this once. A program that sends it as `Authorization: Bearer KEY` acts for you.

        With `users:write`, also for a service account, and for no other.

        It may do what its `scopes` say, for as long as you may do it yourself. It expires after `expires_in_days`, by default
        90 or as many as are allowed here.
        """
        caller = request.user
        assert caller is not None
        for_service = caller.user_id != user_id and caller.may("users:write")
        if not for_service:
            require_sight(request, user_id, None)
        await require_step_up(request)
        days = data.expires_in_days or min(USUAL_DAYS, runtime_of(request).settings.api_key_days)
        outcome = await ask(
            request, IssueApiKey(user_id, data.name, tuple(data.scopes), days, for_service), data.reason
        )
        made = outcome.result
        issued = IssuedApiKey(made.id, made.key, prefix_of(made.id), made.name, [*made.scopes], made.expires_at)
        headers = recorded_headers(outcome) | {"Location": f"/v1/users/{user_id}/api-keys/{made.id}"}
        return Response(issued, headers=headers)

    @get(
        operation_id="api_keys_of_user",
        summary="API keys of a user",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, NoSuchUser, StoreUnavailable),
    )
    async def keys(self, request: JsonRequest, user_id: FromPath[UUID]) -> Response[ApiKeyList]:
        """Which keys there are, what each may do, and on which day it was used last. The keys themselves are not told."""
        require_sight(request, user_id, "users:read")
        process = runtime_of(request)
        position, found = await api_keys_of_user(process.writer, process.keys, user_id, datetime.now(UTC))
        items = [ApiKeyView(**_listed(asdict(key))) for key in found]
        headers = {"Event-Position": str(position), "Cache-Control": "no-store"}
        return Response(ApiKeyList(items), headers=headers)

    @get(
        "/{key_id:uuid}",
        operation_id="api_key_by_id",
        summary="An API key",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, NoSuchUser, NoSuchApiKey, StoreUnavailable),
    )
    async def key(self, request: JsonRequest, user_id: FromPath[UUID], key_id: FromPath[UUID]) -> Response[ApiKeyView]:
        """What is known of one of them, also long after it has ended."""
        require_sight(request, user_id, "users:read")
        process = runtime_of(request)
        now = datetime.now(UTC)
        position, found = await api_keys_of_user(process.writer, process.keys, user_id, now, only=key_id)
        if not found:
            raise NoSuchApiKey
        headers = {"Event-Position": str(position), "Cache-Control": "no-store"}
        return Response(ApiKeyView(**_listed(asdict(found[0]))), headers=headers)

    @delete(
        "/{key_id:uuid}",
        operation_id="revoke_api_key",
        summary="Revoke an API key",
        status_code=HTTP_204_NO_CONTENT,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, BODY, COMMAND, PARAMETERS, NoSuchUser, NoSuchApiKey, StaleVersion) | DRY_RUN,
    )
    async def revoke(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        key_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Let a key open nothing any more, here at once and everywhere within a second. Safe to repeat."""
        require_sight(request, user_id, "users:write")
        command, reason = RevokeApiKey(user_id, key_id), data.reason if data else None
        return await answered(request, command, user_id, if_match=if_match, reason=reason, stream_id=key_id)


def _listed(key: dict[str, Any]) -> dict[str, Any]:
    return {**key, "scopes": [*key["scopes"]]}
