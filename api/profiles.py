"""What people tell of themselves."""

from uuid import UUID

from litestar import Controller, Response, patch
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_204_NO_CONTENT
from msgspec import UNSET, UnsetType

from api.asking import answered
from api.auth import signed_in
from api.bodies import Body, JsonRequest
from api.conditions import IfMatch, PreferDryRun
from api.declared import BODY, COMMAND, DRY_RUN, PARAMETERS, TOKEN, declared
from api.fields import CHECKS, DisplayName, Locale, PictureUrl, Reason, TimeZone
from api.reasons import NotPermitted, StaleVersion
from api.views import require_sight
from commands.change_profile import ChangeProfile
from commands.errors import NoSuchUser

__all__ = ["Profiles"]


class ProfileBody(Body, frozen=True):
    """A merge patch (RFC 7396): what is given changes, null removes, what is left out stays."""

    display_name: DisplayName | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET
    picture_url: PictureUrl | UnsetType | None = UNSET
    reason: Reason | None = None

    checks = CHECKS


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
        responses=declared(TOKEN, BODY, COMMAND, PARAMETERS, NotPermitted, NoSuchUser, StaleVersion) | DRY_RUN,
    )
    async def change_profile(
        self,
        request: JsonRequest,
        user_id: FromPath[UUID],
        data: JSONBody[ProfileBody],
        if_match: IfMatch = None,
        prefer: PreferDryRun = None,  # noqa: ARG002 - declared here, read where commands are asked
    ) -> Response[None]:
        """Change one's own profile or, with `users:write`, anyone's. Each fact that changes is an event."""
        require_sight(request, user_id, "users:write")
        command = ChangeProfile(user_id, data.display_name, data.locale, data.time_zone, data.picture_url)
        return await answered(request, command, user_id, if_match=if_match, reason=data.reason)
