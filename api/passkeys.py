"""Passkeys: adding, listing and removing one's own, and beginning to sign in with one."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct

from api.asking import answered, ask, recorded_headers, runtime_of
from api.auth import in_session
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun, only_at, user_etag
from api.credentials import Attestation, plain
from api.declared import BODY, COMMAND, DRY_RUN, IN_SESSION, PARAMETERS, STEP_UP, declared
from api.fields import CHECKS, Label, Reason
from api.limits import SIGN_IN, limited
from api.reasons import StaleVersion
from api.roles import ReasonBody
from api.step_up import require_step_up
from api.views import require_sight
from commands.add_passkey import Added, AddPasskey, OfferPasskey
from commands.errors import (
    InvalidLabel,
    InvalidPasskey,
    NoSuchPasskey,
    NoSuchSession,
    NoSuchUser,
    PasskeyThere,
    TooManyPasskeys,
)
from commands.passkey_options import CreationOptions, RequestOptions
from commands.passkeys import passkeys_of
from commands.remove_passkey import RemovePasskey
from commands.sign_in_with_passkey import OfferPasskeySignIn
from events.errors import StoreUnavailable

__all__ = ["PasskeySignIns", "Passkeys"]


class PasskeyBody(Body, frozen=True):
    """What the browser has made, and what to call it."""

    label: Label
    credential: Annotated[Attestation, Meta(description="What `navigator.credentials.create` gave, as `toJSON()`.")]
    reason: Reason | None = None

    checks = CHECKS


class PasskeyView(Struct, frozen=True):
    """A passkey; when it was used last is null until it was."""

    id: UUID
    label: str
    added_at: datetime
    last_used_at: datetime | None


class PasskeyList(Struct, frozen=True):
    """All of them, in the order in which they were added."""

    items: list[PasskeyView]


class Passkeys(Controller):
    """One's own; nobody has another's."""

    path = "/v1/users/{user_id:uuid}/passkeys"
    tags = ("Second factors",)

    @get(
        operation_id="passkeys_of_user",
        summary="Passkeys",
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, PARAMETERS, NoSuchUser, StoreUnavailable),
    )
    async def passkeys(self, request: JsonRequest, user_id: FromPath[UUID]) -> Response[PasskeyList]:
        """Which passkeys there are, when each was added, and when it was last used."""
        require_sight(request, user_id, None)
        process = runtime_of(request)
        position, kept = await passkeys_of(process.writer, process.keys, user_id)
        items = [PasskeyView(one.id, one.label, one.added_at, one.last_used_at) for one in kept.items]
        headers = {"Event-Position": str(position), "Cache-Control": "no-store"}
        return Response(PasskeyList(items), headers=headers)

    @post(
        "/options",
        operation_id="offer_passkey",
        summary="Begin to add a passkey",
        status_code=HTTP_200_OK,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, STEP_UP, COMMAND, PARAMETERS, NoSuchUser),
    )
    async def offer(self, request: JsonRequest, user_id: FromPath[UUID]) -> Response[CreationOptions]:
        """What to give `navigator.credentials.create`, through `PublicKeyCredential.parseCreationOptionsFromJSON`.

        The challenge in it is good for some minutes, and for one passkey.
        """
        require_sight(request, user_id, None)
        await require_step_up(request)
        outcome = await ask(request, OfferPasskey(user_id))
        return Response(outcome.result, headers=recorded_headers(outcome))

    @post(
        operation_id="add_passkey",
        summary="Add a passkey",
        status_code=HTTP_200_OK,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(
            IN_SESSION,
            STEP_UP,
            BODY,
            COMMAND,
            PARAMETERS,
            NoSuchUser,
            NoSuchSession,
            InvalidPasskey,
            InvalidLabel,
            PasskeyThere,
            TooManyPasskeys,
            StaleVersion,
        ),
    )
    async def add(
        self, request: JsonRequest, user_id: FromPath[UUID], data: JSONBody[PasskeyBody], if_match: IfMatch = None
    ) -> Response[Added]:
        """Add what the browser has made. It signs in without a password from now on, and is a second factor beside one.

        With the first second factor, ten recovery codes are answered; they are shown this once. Older access tokens count no
        longer: refresh the session for one that knows of it.
        """
        require_sight(request, user_id, None)
        await require_step_up(request)
        assert request.user is not None
        adding = AddPasskey(user_id, data.label, plain(data.credential), request.user.session_id)
        outcome = await ask(request, only_at(adding, user_id, if_match), data.reason)
        return Response(outcome.result, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))

    @delete(
        "/{passkey_id:uuid}",
        operation_id="remove_passkey",
        summary="Remove a passkey",
        status_code=HTTP_204_NO_CONTENT,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, STEP_UP, BODY, COMMAND, PARAMETERS, NoSuchUser, NoSuchPasskey, StaleVersion)
        | DRY_RUN,
    )
    async def remove(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        passkey_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Let it open nothing any more. With the last second factor the recovery codes are gone as well."""
        require_sight(request, user_id, None)
        await require_step_up(request)
        command = RemovePasskey(user_id, passkey_id)
        reason = data.reason if data else None
        return await answered(request, command, user_id, if_match=if_match, reason=reason)


class PasskeySignIns(Controller):
    """For anyone: nothing is asked, and so nothing is told."""

    path = "/v1/sessions/passkey"
    tags = ("Sessions",)

    @post(
        operation_id="offer_passkey_sign_in",
        summary="Begin to sign in with a passkey",
        status_code=HTTP_200_OK,
        responses=declared(COMMAND),
    )
    async def offer(self, request: JsonRequest) -> Response[RequestOptions]:
        """What to give `navigator.credentials.get`, through `PublicKeyCredential.parseRequestOptionsFromJSON`.

        The challenge in it is good for some minutes, and for one session. Send what the browser answers, as `toJSON()` gives
        it, as the `passkey` of `POST /v1/sessions`.
        """
        await limited(request, SIGN_IN)
        outcome = await ask(request, OfferPasskeySignIn())
        return Response(outcome.result, headers=recorded_headers(outcome))
