"""What people tell of themselves."""

from uuid import UUID

from litestar import Controller, Response, patch
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_204_NO_CONTENT
from msgspec import UNSET, Struct, UnsetType

from api.asking import ask, recorded_headers
from api.auth import signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, only_at
from api.declared import BODY, COMMAND, PARAMETERS, TOKEN, declared
from api.fields import CHECKS, DisplayName
from api.reasons import StaleVersion
from api.views import require_sight, user_etag
from commands.change_display_name import ChangeDisplayName
from commands.errors import NoSuchUser
from commands.unit import Unit

__all__ = ["Profiles"]


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


class Profiles(Controller):
    """One's own or, with `users:write`, anyone's."""

    path = "/v1/users"
    tags = ("Users",)

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
        require_sight(request, user_id, "users:write")
        name = data.display_name
        command = _ChangeNothing(user_id) if isinstance(name, UnsetType) else ChangeDisplayName(user_id, name)
        outcome = await ask(request, only_at(command, user_id, if_match))
        return Response(None, headers=recorded_headers(outcome, user_etag(outcome.version, request.user)))
