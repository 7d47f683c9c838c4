"""Sessions: signing in, going on, signing out."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Struct
from msgspec.structs import asdict

from api.alarms import alarmed
from api.asking import answered, ask, recorded_headers, runtime_of
from api.auth import in_session, signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun
from api.declared import BODY, COMMAND, DRY_RUN, HASHING, IN_SESSION, PARAMETERS, TOKEN, declared
from api.devices import device_cookie
from api.even_answers import even
from api.fields import RefreshToken
from api.limits import REFRESH, limited
from api.reasons import NotPermitted, StaleVersion
from api.roles import ReasonBody
from api.sign_ins import SignInBody, sign_in
from api.views import require_sight
from commands.end_all_sessions import EndAllSessions
from commands.end_session import EndSession
from commands.errors import (
    InvalidChallenge,
    InvalidCredentials,
    InvalidRefreshToken,
    InvalidSecondFactor,
    NoSuchSession,
    NoSuchUser,
    SecondFactorRequired,
    TooManyAttempts,
    UnknownPasskey,
)
from commands.handler import Outcome
from commands.living_sessions import living_sessions
from commands.refresh_session import RefreshSession
from commands.signed_in import SignedIn
from events.errors import StoreUnavailable

__all__ = ["Sessions", "SessionsOfUser", "Tokens", "access_token"]


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
        responses=declared(
            BODY,
            COMMAND,
            HASHING,
            InvalidCredentials,
            SecondFactorRequired,
            InvalidChallenge,
            InvalidSecondFactor,
            UnknownPasskey,
            TooManyAttempts,
        ),
    )
    async def sign_in(self, request: JsonRequest, data: JSONBody[SignInBody]) -> Response[Tokens]:
        """Open a session. Every account that cannot be signed in to answers alike, whatever the reason.

        Where the account has a second factor, the right password is answered with a `challenge`, and that with a code of
        the authenticator app, a passkey or a recovery code opens the session. A passkey alone opens one as well, without a
        password: `POST /v1/sessions/passkey` is where that begins.
        """
        even(request, when_refused=True)
        outcome = await sign_in(request, data)
        answer = _tokens(request, outcome, outcome.position, HTTP_201_CREATED)
        answer.set_cookie(device_cookie(request, outcome.result.device))
        return answer

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
            with alarmed("a stored refresh token", InvalidRefreshToken):
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
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, BODY, COMMAND, PARAMETERS, NoSuchSession, StaleVersion) | DRY_RUN,
    )
    async def end(
        self,
        request: JsonRequest,
        session_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """End a session: its tokens count no longer, here at once and everywhere within a second."""
        caller = request.user
        assert caller is not None
        holder = None if caller.may("users:write") else caller.user_id
        command, reason = EndSession(session_id, holder), data.reason if data else None
        return await answered(request, command, holder, if_match=if_match, reason=reason, stream_id=session_id)


class SessionView(Struct, frozen=True):
    """A session that lives; `address` and `user_agent` are those of the client that was seen last."""

    id: UUID
    started_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool


class SessionList(Struct, frozen=True):
    """All of them, the newest first."""

    items: list[SessionView]


class SessionsOfUser(Controller):
    """One's own or, with `users:read` and `users:write`, anyone's."""

    path = "/v1/users/{user_id:uuid}/sessions"
    tags = ("Sessions",)

    @get(
        operation_id="sessions_of_user",
        summary="Sessions of a user",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, NoSuchUser, StoreUnavailable),
    )
    async def sessions(self, request: JsonRequest, user_id: FromPath[UUID]) -> Response[SessionList]:
        """Which sessions live, on which devices, and when each was last seen: when it was last refreshed."""
        require_sight(request, user_id, "users:read")
        process = runtime_of(request)
        position, living = await living_sessions(process.writer, process.keys, user_id, datetime.now(UTC))
        caller = request.user
        items = [
            SessionView(**asdict(session), current=caller is not None and session.id == caller.session_id)
            for session in living
        ]
        headers = {"Event-Position": str(position), "Cache-Control": "no-store"}
        return Response(SessionList(items), headers=headers)

    @delete(
        operation_id="end_all_sessions",
        summary="Sign out everywhere",
        status_code=HTTP_204_NO_CONTENT,
        guards=[in_session],
        security=[{"token": []}],
        responses=declared(IN_SESSION, BODY, COMMAND, PARAMETERS, NoSuchUser, StaleVersion) | DRY_RUN,
    )
    async def end_all(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """End every session of the user: tokens of before count no longer."""
        require_sight(request, user_id, "users:write")
        reason = data.reason if data else None
        return await answered(request, EndAllSessions(user_id), user_id, if_match=if_match, reason=reason)


def access_token(request: JsonRequest, outcome: Outcome[SignedIn], position: int) -> tuple[str, int]:
    """The token of a session, true as of a position, and for how many seconds it is good."""
    issued, tokens = outcome.result, runtime_of(request).tokens
    # Its id and its time are the command's, so that a request that is answered again gets the same token.
    token = tokens.mint(
        issued.user_id,
        issued.session_id,
        issued.roles,
        position,
        outcome.asked_at,
        outcome.command_id,
        issued.authentication,
    )
    return token, tokens.seconds


def _tokens(request: JsonRequest, outcome: Outcome[SignedIn], position: int, status: int) -> Response[Tokens]:
    issued = outcome.result
    token, seconds = access_token(request, outcome, position)
    return Response(
        Tokens(token, "Bearer", seconds, issued.refresh_token, issued.session_id, issued.user_id),
        status_code=status,
        headers=recorded_headers(outcome),
    )
