"""Invitations: somebody becomes a user because an administrator wants them to."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct
from msgspec.structs import asdict

from api.asking import answered, ask, recorded_headers, runtime_of, tried_out
from api.auth import may
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun
from api.declared import BODY, COMMAND, CURSOR, DRY_RUN, HASHING, PARAMETERS, STEP_UP, TOKEN, declared
from api.fields import CHECKS, DisplayName, Email, LinkToken, Locale, Password, Reason
from api.limits import VERIFICATION, limited
from api.lists import Cursor, Limit, page_headers, place_after, sealed_place
from api.reasons import NotPermitted, StaleVersion
from api.roles import ReasonBody
from api.step_up import require_step_up
from commands.accept_invitation import AcceptInvitation
from commands.errors import (
    AddressTaken,
    InvalidLink,
    InvitationOver,
    LinkExpired,
    NoSuchInvitation,
)
from commands.invite_user import InviteUser, WithdrawInvitation
from commands.lapse_invitation import FIRST, open_invitations
from events.errors import StoreUnavailable

__all__ = ["Invitations"]

NAME = "invitations"
Role = Literal["administrator", "analyst", "auditor"]
Roles = Annotated[list[Role], Meta(max_length=8, description="What they may do, once they are there.")]
Hours = Annotated[
    int, Meta(ge=1, le=720, description="For how many hours it can be accepted; a setting tells the usual.")
]


class InvitationBody(Body, frozen=True):
    """Whom to invite."""

    email: Email
    roles: Roles | None = None
    display_name: DisplayName | None = None
    locale: Locale | None = None
    expires_in_hours: Hours | None = None
    reason: Reason | None = None

    checks = CHECKS


class AcceptBody(Body, frozen=True):
    """The token that was mailed, and what whoever accepts chooses."""

    token: LinkToken
    password: Password
    display_name: DisplayName | None = None

    checks = CHECKS


class SentInvitation(Struct, frozen=True):
    """The invitation that was made; the token is told to the address alone."""

    id: UUID
    expires_at: datetime


class AcceptedInvitation(Struct, frozen=True):
    """The id of the new user, who can sign in now."""

    id: UUID


class InvitationView(Struct, frozen=True):
    """An invitation that waits for an answer; `by` is who sent it, null for the operator."""

    id: UUID
    email: str
    roles: list[str]
    display_name: str | None
    locale: str | None
    by: UUID | None
    sent_at: datetime
    expires_at: datetime


class InvitationList(Struct, frozen=True):
    """A page of those that are open, the oldest first; `next` is the cursor of the page after it, null at the end."""

    items: list[InvitationView]
    next: str | None


class Invitations(Controller):
    """Sent with `users:write`, also where people cannot register themselves."""

    path = "/v1/invitations"
    tags = ("Invitations",)

    @post(
        operation_id="invite_user",
        summary="Invite somebody",
        status_code=HTTP_201_CREATED,
        guards=[may("users:write")],
        security=[{"token": []}],
        responses=declared(TOKEN, STEP_UP, BODY, COMMAND, NotPermitted, AddressTaken) | DRY_RUN,
    )
    async def invite(
        self,
        request: JsonRequest,
        data: JSONBody[InvitationBody],
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
    ) -> Response[SentInvitation]:
        """Have a link mailed to an address. Whoever follows it chooses a password, and is a user with these roles.

        With roles it takes a fresh proof of who asks, as granting them does. 409 tells that a user has the address already.
        """
        caller = request.user
        assert caller is not None
        if data.roles:
            await require_step_up(request)
        command = InviteUser(
            data.email, caller.user_id, tuple(data.roles or ()), data.display_name, data.locale, data.expires_in_hours
        )
        if (tried := await tried_out(request, command, reason=data.reason)) is not None:
            return tried
        outcome = await ask(request, command, data.reason)
        made = outcome.result
        headers = recorded_headers(outcome) | {"Location": f"/v1/invitations/{made.invitation_id}"}
        return Response(SentInvitation(made.invitation_id, made.expires_at), headers=headers)

    @get(
        operation_id="invitations",
        summary="Open invitations",
        guards=[may("users:read")],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, CURSOR, StoreUnavailable),
    )
    async def invitations(
        self, request: JsonRequest, limit: Limit = 50, cursor: Cursor = None
    ) -> Response[InvitationList]:
        """Who was invited and has not answered. Of invitations that have ended, the address is forgotten."""
        process = runtime_of(request)
        after = place_after(request, NAME, cursor, UUID) or FIRST
        position, found, last = await open_invitations(
            process.writer, process.keys, datetime.now(UTC), after=after, limit=limit
        )
        following = sealed_place(request, NAME, last)
        items = [InvitationView(**{**asdict(one), "roles": [*one.roles]}) for one in found]
        headers = page_headers(request, position, following, limit=limit)
        return Response(InvitationList(items, following), headers=headers)

    @delete(
        "/{invitation_id:uuid}",
        operation_id="withdraw_invitation",
        summary="Withdraw an invitation",
        status_code=HTTP_204_NO_CONTENT,
        guards=[may("users:write")],
        security=[{"token": []}],
        responses=declared(
            TOKEN, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchInvitation, InvitationOver, StaleVersion
        )
        | DRY_RUN,
    )
    async def withdraw(
        self,
        request: JsonRequest,
        invitation_id: FromPath[UUID],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
        data: JSONBody[ReasonBody | None] = None,
    ) -> Response[None]:
        """Let the link open nothing, and forget the address. Safe to repeat."""
        command, reason = WithdrawInvitation(invitation_id), data.reason if data else None
        return await answered(request, command, None, if_match=if_match, reason=reason, stream_id=invitation_id)

    @post(
        "/accept",
        operation_id="accept_invitation",
        summary="Accept an invitation",
        status_code=HTTP_201_CREATED,
        responses=declared(BODY, COMMAND, HASHING, InvalidLink, LinkExpired, InvitationOver, AddressTaken),
    )
    async def accept(self, request: JsonRequest, data: JSONBody[AcceptBody]) -> Response[AcceptedInvitation]:
        """Become a user with the token that was mailed. The address is proved by it; sign in with the password."""
        await limited(request, VERIFICATION)
        outcome = await ask(request, AcceptInvitation(data.token, data.password, data.display_name))
        user_id = outcome.result.user_id
        headers = recorded_headers(outcome) | {"Location": f"/v1/users/{user_id}"}
        return Response(AcceptedInvitation(user_id), status_code=HTTP_201_CREATED, headers=headers)
