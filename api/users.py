"""Users: registering, proving an address, being called something, and the views of them."""

from typing import Final, cast
from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_201_CREATED, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT
from msgspec import UNSET, Struct, UnsetType

from api.asking import ask, recorded_headers, runtime_of
from api.auth import anyone, may, signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, IfNoneMatch, MinPosition, Prefer, only_at
from api.declared import BODY, COMMAND, HASHING, PARAMETERS, TOKEN, UNCHANGED, VIEW, declared
from api.fields import CHECKS, DisplayName, Email, LinkToken, Locale, Password
from api.lists import Cursor, Limit, page_headers, place_after, sealed_place
from api.reasons import InvalidCursor, NotFound, NotPermitted, RegistrationClosed, StaleVersion
from api.views import reached, registered_view, user_etag, user_view
from commands.change_display_name import ChangeDisplayName
from commands.errors import AddressTaken, InvalidLink, LinkExpired, LinkSpent, NoSuchUser
from commands.register_user import RegisterUser
from commands.unit import Unit
from commands.verify_email import VerifyEmail
from queries.users import UserView, users

__all__ = ["Me", "Users"]


class RegisterBody(Body, frozen=True):
    """Who registers."""

    email: Email
    password: Password
    display_name: DisplayName | None = None
    locale: Locale | None = None

    checks = CHECKS


class RegistrationTaken(Struct, frozen=True):
    """The id of the account, once its address is proved; one that leads nowhere when the address was somebody's."""

    id: UUID


class UserList(Struct, frozen=True):
    """A page of users; `next` is the cursor of the page after it, null at the end."""

    items: list[UserView]
    next: str | None


class VerifyBody(Body, frozen=True):
    """What proves the address."""

    token: LinkToken


class ProfileBody(Body, frozen=True):
    """A merge patch (RFC 7396): what is given changes, null removes, what is left out stays."""

    display_name: DisplayName | UnsetType | None = UNSET

    checks = CHECKS


class _ChangeNothing(Struct, frozen=True):
    """See where a user stands."""

    user_id: UUID

    async def perform(self, unit: Unit) -> None:
        if not (await unit.user(self.user_id)).active:
            raise NoSuchUser


ADDED: Final = ResponseSpec(UserView, generate_examples=False, description="The user, for those who may add them.")


class Users(Controller):
    """People. What belongs to someone else answers like what does not exist, to all who may not see it."""

    path = "/v1/users"
    tags = ("Users",)

    @post(
        operation_id="register_user",
        summary="Register",
        status_code=HTTP_202_ACCEPTED,
        guards=[anyone],
        security=[{}, {"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, HASHING, RegistrationClosed, AddressTaken) | {201: ADDED},
    )
    async def register(self, request: JsonRequest, data: JSONBody[RegisterBody]) -> Response[RegistrationTaken]:
        """Become a user, or with `users:write` add one.

        Anyone is answered 202 and the same, whether or not the address was taken: only mail to it tells. Those with
        `users:write` are answered 201 and the view, or 409.
        """
        caller = request.user
        discloses = caller is not None and caller.may("users:write")
        if runtime_of(request).settings.registration == "closed" and not discloses:
            raise RegistrationClosed
        command = RegisterUser(data.email, data.password, data.display_name, data.locale, disclose=discloses)
        outcome = await ask(request, command)
        if not discloses:
            accepted = RegistrationTaken(outcome.result.user_id)
            return Response(accepted, status_code=HTTP_202_ACCEPTED, headers={"Cache-Control": "no-store"})
        view = await registered_view(request, outcome)
        headers = recorded_headers(outcome, user_etag(view.version, caller)) | {"Location": f"/v1/users/{view.id}"}
        return cast("Response[RegistrationTaken]", Response(view, status_code=HTTP_201_CREATED, headers=headers))

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
        outcome = await ask(request, VerifyEmail(user_id, data.token))
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, None)))

    @patch(
        "/{user_id:uuid}/profile",
        operation_id="change_profile",
        summary="Change the profile",
        status_code=HTTP_204_NO_CONTENT,
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, BODY, COMMAND, PARAMETERS, NoSuchUser, StaleVersion),
    )
    async def change_profile(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        data: JSONBody[ProfileBody],
        if_match: IfMatch = None,
    ) -> Response[None]:
        """Change one's own profile or, with `users:write`, anyone's. Each fact that changes is an event."""
        _require(request, user_id, "users:write")
        name = data.display_name
        command = _ChangeNothing(user_id) if isinstance(name, UnsetType) else ChangeDisplayName(user_id, name)
        outcome = await ask(request, only_at(command, user_id, if_match))
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))

    @get(
        "/{user_id:uuid}",
        operation_id="user_by_id",
        summary="A user",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, NoSuchUser) | UNCHANGED,
    )
    async def user_by_id(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        if_none_match: IfNoneMatch = None,
        min_position: MinPosition = None,
        prefer: Prefer = None,
    ) -> Response[UserView]:
        """Oneself or, with `users:read`, anyone."""
        _require(request, user_id, "users:read")
        return await user_view(request, user_id, if_none_match, min_position, prefer)

    @get(
        operation_id="users",
        summary="All users",
        guards=[may("users:read")],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, NotPermitted, InvalidCursor),
    )
    async def users(
        self,
        request: JsonRequest,
        limit: Limit = 50,
        cursor: Cursor = None,
        min_position: MinPosition = None,
        prefer: Prefer = None,
    ) -> Response[UserList]:
        """The newest registrations first."""
        after = place_after(request, "users", cursor, UUID)
        applied = await reached(request, None, min_position, prefer)
        page = await users(runtime_of(request).reader, after=after, limit=limit)
        following = sealed_place(request, "users", page.next)
        headers = page_headers(request, page.position, following, limit=limit)
        return Response(UserList(page.items, following), headers=headers | applied)


class Me(Controller):
    """Whoever asks."""

    path = "/v1/me"
    tags = ("Users",)

    @get(
        operation_id="me",
        summary="Oneself",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, NoSuchUser) | UNCHANGED,
    )
    async def me(
        self,
        request: JsonRequest,
        if_none_match: IfNoneMatch = None,
        min_position: MinPosition = None,
        prefer: Prefer = None,
    ) -> Response[UserView]:
        """The view of whoever the access token speaks for."""
        assert request.user is not None
        return await user_view(request, request.user.user_id, if_none_match, min_position, prefer)


def _require(request: JsonRequest, user_id: UUID, permission: str) -> None:
    """Nobody else's account exists for those who may not see it."""
    caller = request.user
    if caller is None or not (caller.user_id == user_id or caller.may(permission)):
        raise NoSuchUser
