"""Users: registering, and the views of them."""

from typing import Final, cast
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_201_CREATED, HTTP_202_ACCEPTED
from msgspec import UNSET, Struct, UnsetType

from api.asking import ask, recorded_headers, runtime_of
from api.auth import anyone, may, require_oneself, signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfNoneMatch, MinPosition, Prefer, user_etag
from api.declared import BODY, COMMAND, CURSOR, HASHING, TOKEN, UNCHANGED, VIEW, declared
from api.even_answers import even
from api.fields import CHECKS, DisplayName, Email, Locale, Password, Reason
from api.limits import REGISTRATION, limited
from api.lists import Cursor, Limit, only_parameters, page_headers, place_after, sealed_place
from api.reasons import FieldError, InvalidFields, NotPermitted, RegistrationClosed
from api.turns import few_at_once
from api.user_filters import (
    Count,
    CreatedFrom,
    CreatedTo,
    RolesAny,
    Search,
    SeenFrom,
    SeenTo,
    SortBy,
    Statuses,
    Verified,
    filters_of,
)
from api.views import made_view, reached, require_sight, user_view
from commands.errors import AddressTaken, NoSuchUser
from commands.register_user import RegisterUser
from projections.parking import ViewParked
from projections.user_names import USER_NAMES
from queries.user_filters import NEWEST_FIRST, Place
from queries.user_lists import ListTables, UserPage, takes_names, users
from queries.users import VIEW as VIEW_OF_USERS
from queries.users import UserView

__all__ = ["Me", "Users"]

LONGEST_SECONDS: Final = 20.0


class RegisterBody(Body, frozen=True):
    """Who registers."""

    email: Email
    password: Password
    display_name: DisplayName | None = None
    locale: Locale | None = None
    reason: Reason | None = None

    checks = CHECKS


class RegistrationTaken(Struct, frozen=True):
    """The id of the account, once its address is proved; one that leads nowhere when the address was somebody's."""

    id: UUID


class UserList(Struct, frozen=True):
    """A page of users; `next` is the cursor of the page after it, null at the end.

    `count` is there when it was asked for: how many users there are on all pages.
    """

    items: list[UserView]
    next: str | None
    count: int | UnsetType = UNSET


REASON_OF_OTHERS: Final = FieldError(
    pointer="/reason", detail="Whoever registers themselves gives no reason; who adds others with users:write may."
)
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
        `users:write` are answered 201 and the view, or 409, and may say why.
        """
        caller = request.user
        discloses = caller is not None and caller.may("users:write")
        if runtime_of(request).settings.registration == "closed" and not discloses:
            raise RegistrationClosed
        if not discloses:
            even(request)
            await limited(request, REGISTRATION, account=data.email)
            if data.reason is not None:
                raise InvalidFields(errors=[REASON_OF_OTHERS])
        command = RegisterUser(data.email, data.password, data.display_name, data.locale, disclose=discloses)
        outcome = await ask(request, command, data.reason)
        if not discloses:
            accepted = RegistrationTaken(outcome.result.user_id)
            return Response(accepted, status_code=HTTP_202_ACCEPTED, headers={"Cache-Control": "no-store"})
        view = await made_view(request, outcome.result.user_id, outcome.version)
        headers = recorded_headers(outcome, user_etag(view.version, caller, view.updated_at)) | {
            "Location": f"/v1/users/{view.id}"
        }
        return cast("Response[RegistrationTaken]", Response(view, status_code=HTTP_201_CREATED, headers=headers))

    @get(
        "/{user_id:uuid}",
        operation_id="user_by_id",
        summary="A user",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, ViewParked, NotPermitted, NoSuchUser) | UNCHANGED,
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
        require_sight(request, user_id, "users:read")
        return await user_view(request, user_id, if_none_match, min_position, prefer)

    @get(
        operation_id="users",
        summary="All users",
        guards=[may("users:read")],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, NotPermitted, CURSOR),
    )
    async def users(
        self,
        request: JsonRequest,
        status: Statuses = None,
        role: RolesAny = None,
        verified: Verified = None,
        created_from: CreatedFrom = None,
        created_to: CreatedTo = None,
        seen_from: SeenFrom = None,
        seen_to: SeenTo = None,
        search: Search = None,
        sort: SortBy = None,
        count: Count = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        min_position: MinPosition = None,
        prefer: Prefer = None,
    ) -> Response[UserList]:
        """The newest registrations first, or in another order; all users, or those for whom every filter holds.

        Those of whom the view could not take something are left out: `Left-Out` says how many. Few lists are worked on
        at once that count, or for which all users have to be looked through; when it takes too long until it is their
        turn, or until they are found, the answer is 503.
        """
        given = {
            "status": status, "role": role, "verified": verified, "created_from": created_from, "created_to": created_to,
            "seen_from": seen_from, "seen_to": seen_to, "search": search, "sort": sort, "count": count,
        }  # fmt: skip
        only_parameters(request, *given, "limit", "cursor")
        filters, order = filters_of(given), sort or NEWEST_FIRST
        name = f"users {order} {msgspec.json.encode(filters, order='deterministic').decode()}"
        after = place_after(request, name, cursor, Place)
        views = (VIEW_OF_USERS, USER_NAMES.view) if takes_names(filters, order) else (VIEW_OF_USERS,)
        demands = [await reached(request, None, min_position, prefer, view) for view in views]
        process, counted = runtime_of(request), count is not None

        async def page_of(*tables: str) -> UserPage:
            of, few = ListTables(*tables), few_at_once(process.few_lists_at_once, LONGEST_SECONDS)
            return await users(
                process.reader, filters, tables=of, sort=order, after=after, limit=limit, count=counted, few=few
            )

        page = await process.positions.ask(page_of, *views)
        for demanded in demands:
            demanded.hold(page.position)
        following = sealed_place(request, name, page.next)
        headers = page_headers(request, page.position, following, **given, limit=limit)
        if page.left_out:
            headers["Left-Out"] = str(page.left_out)
        listed = UserList(page.items, following, UNSET if page.count is None else page.count)
        return Response(listed, headers=headers | demands[0].applied)


class Me(Controller):
    """Whoever asks."""

    path = "/v1/me"
    tags = ("Users",)

    @get(
        operation_id="me",
        summary="Oneself",
        guards=[signed_in],
        security=[{"token": []}],
        responses=declared(TOKEN, VIEW, ViewParked, NotPermitted, NoSuchUser) | UNCHANGED,
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
        require_oneself(request.user, request.method)
        return await user_view(request, request.user.user_id, if_none_match, min_position, prefer)
