"""Sessions: signing in, going on, signing out."""

from typing import Annotated, Literal
from uuid import UUID

import structlog
from litestar import Controller, Response, delete, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct

from api.asking import ask, recorded_headers, runtime_of
from api.auth import signed_in
from api.bodies import Body, JsonRequest
from api.conditions import etag
from api.declared import BODY, COMMAND, HASHING, PARAMETERS, TOKEN, declared
from api.even_answers import even
from api.fields import Password, RefreshToken
from api.limits import REFRESH, SIGN_IN, limited
from commands.end_session import EndSession
from commands.errors import InvalidCredentials, InvalidRefreshToken, NoSuchSession
from commands.handler import Outcome
from commands.refresh_session import RefreshSession
from commands.sign_in import SignedIn, SignIn

__all__ = ["Sessions", "Tokens"]

_log = structlog.get_logger()


class SignInBody(Body, frozen=True):
    """An address and its password."""

    email: Annotated[str, Meta(max_length=1024, description="The address, in any spelling.")]
    password: Password


class RefreshBody(Body, frozen=True):
    """What goes on with a session."""

    refresh_token: RefreshToken


class Tokens(Struct, frozen=True):
    """A session's tokens. The refresh token is good for one use: keep the one of the last answer."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str
    session_id: UUID
    user_id: UUID


class Sessions(Controller):
    """Sessions of whoever asks; those with `users:write` may end any."""

    path = "/v1/sessions"
    tags = ("Sessions",)

    @post(
        operation_id="sign_in",
        summary="Sign in",
        status_code=HTTP_201_CREATED,
        responses=declared(BODY, COMMAND, HASHING, InvalidCredentials),
    )
    async def sign_in(self, request: JsonRequest, data: JSONBody[SignInBody]) -> Response[Tokens]:
        """Open a session. Every account that cannot be signed in to answers alike, whatever the reason."""
        even(request, when_refused=True)
        await limited(request, SIGN_IN, account=data.email)
        try:
            outcome = await ask(request, SignIn(data.email, data.password))
        except ValueError as error:  # what is kept of the password is no hash, or does not open
            _log.error("a stored password is broken", exc_info=error)
            raise InvalidCredentials from None
        return _tokens(request, outcome, outcome.position, HTTP_201_CREATED)

    @post(
        "/refresh",
        operation_id="refresh_session",
        summary="Go on with a session",
        status_code=HTTP_200_OK,
        responses=declared(BODY, COMMAND, InvalidRefreshToken),
    )
    async def refresh(self, request: JsonRequest, data: JSONBody[RefreshBody]) -> Response[Tokens]:
        """Spend a refresh token for fresh tokens.

        For ten seconds the same token is answered alike, in case the answer was lost. Later it means that someone has a
        copy, and the session is over for everyone.
        """
        await limited(request, REFRESH)
        revocations = runtime_of(request).revocations
        known = await revocations.catch_up()
        try:
            outcome = await ask(request, RefreshSession(data.refresh_token))
        except InvalidRefreshToken:
            await revocations.catch_up()  # a session that was ended for reuse is over before it is answered
            raise
        # What was appended was true there; an answer to a lost one is not, and may stand later than what it was decided on.
        position = outcome.position if outcome.first_position or outcome.replayed else known
        return _tokens(request, outcome, position, HTTP_200_OK)

    @delete(
        "/{session_id:uuid}",
        operation_id="end_session",
        summary="Sign out",
        status_code=HTTP_204_NO_CONTENT,
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, COMMAND, PARAMETERS, NoSuchSession),
    )
    async def end(self, request: JsonRequest, session_id: FromPath[UUID]) -> Response[None]:
        """End a session: its tokens count no longer, here at once and everywhere within a second."""
        caller = request.user
        assert caller is not None
        outcome = await ask(request, EndSession(session_id, None if caller.may("users:write") else caller.user_id))
        return Response(None, headers=recorded_headers(outcome, etag(outcome.version)))


def _tokens(request: JsonRequest, outcome: Outcome[SignedIn], position: int, status: int) -> Response[Tokens]:
    issued, tokens = outcome.result, runtime_of(request).tokens
    # Its id and its time are the command's, so that a request that is answered again gets the same token.
    access_token = tokens.mint(
        issued.user_id, issued.session_id, issued.roles, position, outcome.asked_at, outcome.command_id
    )
    return Response(
        Tokens(access_token, "Bearer", tokens.seconds, issued.refresh_token, issued.session_id, issued.user_id),
        status_code=status,
        headers=recorded_headers(outcome),
    )
