"""Why the API declines a request of itself, and the one table of every reason's status."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from commands import errors as refusals
from commands.access_tokens import InvalidAccessToken
from commands.passwords import HasherBusy
from commands.receipts import IdempotencyKeyReused, RequestInProgress
from events.errors import QueueFull, StoreUnavailable
from projections.parking import ViewParked
from projections.positions import ViewBehind

__all__ = [
    "STATUSES",
    "BodyTooLarge",
    "Declined",
    "DryRunRefused",
    "FieldError",
    "InternalError",
    "InvalidCursor",
    "InvalidFields",
    "InvalidHost",
    "InvalidParameters",
    "InvalidRange",
    "MalformedBody",
    "MalformedRequest",
    "MethodNotAllowed",
    "NotFound",
    "NotPermitted",
    "RegistrationClosed",
    "RevocationsBehind",
    "SessionRequired",
    "SignInRequired",
    "StaleVersion",
    "StepUpRequired",
    "TooManyRequests",
    "TooManyStreams",
    "UnsupportedMediaType",
]


class FieldError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with one field of a body (`pointer`, RFC 6901) or with one parameter; never its value."""

    detail: str
    pointer: str | UnsetType = UNSET
    parameter: str | UnsetType = UNSET


class Declined(Exception):
    """The API did not do what was asked; its subclasses say why, in the docstring that the asker is shown."""

    def __init__(
        self, detail: str = "", *, errors: Iterable[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        self.errors = list(errors)
        self.headers = dict(headers or {})
        super().__init__(detail)


class MalformedRequest(Declined):
    """The request is not one that HTTP allows."""


class InvalidHost(Declined):
    """The Host header names no host."""


class MalformedBody(Declined):
    """The body is not one JSON object in UTF-8 with each name once, finite numbers and no more than 16 levels."""


class InvalidFields(Declined):
    """Fields of the body are missing, unknown or not what they should be; `errors` lists them all."""


class InvalidParameters(Declined):
    """Parameters of the path, the query or the headers are not what they should be; `errors` lists them."""


class DryRunRefused(Declined):
    """This cannot be tried out: it is open to anyone, takes or shows a secret, records nothing, or is hidden from you."""


class InvalidCursor(Declined):
    """The cursor is not one that was given to you for this list; begin again without one."""


class LogRestored(Declined):
    """The log was restored from a backup since you were given this place in it: begin again without it.

    What was recorded after that backup is gone, so read anew what you keep of it.
    """


class InvalidRange(Declined):
    """The range ends before it begins, or is longer than three years (1,096 days)."""


class SignInRequired(Declined):
    """This needs an access token or an API key, as `Authorization: Bearer TOKEN`."""


class StepUpRequired(Declined):
    """This takes a proof of who you are that is fresh: step up with one of the `methods`, and ask again.

    A passkey signs the `challenge`, within `expires_in` seconds.
    """

    def __init__(
        self,
        methods: Iterable[str] = (),
        challenge: str = "",
        expires_in: int = 0,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers=headers)
        self.methods = tuple(methods)
        self.challenge = challenge
        self.expires_in = expires_in


class NotPermitted(Declined):
    """Your roles do not let you do this, or the scopes of your API key do not."""


class SessionRequired(Declined):
    """An API key cannot do this; ask with the access token of somebody who has signed in."""


class RegistrationClosed(Declined):
    """People cannot register themselves here; ask someone who may register you."""


class NotFound(Declined):
    """There is nothing here."""


class MethodNotAllowed(Declined):
    """This cannot be done here; the Allow header says what can."""


class StaleVersion(Declined):
    """It has changed since the version that If-Match names; read it again and decide anew."""


class BodyTooLarge(Declined):
    """The body is larger than 64 KiB."""


class UnsupportedMediaType(Declined):
    """The body is not JSON, or not said to be: send it as `Content-Type: application/json`, not compressed."""


class TooManyRequests(Declined):
    """This was asked for too often, by you or for the same account; try again after as long as Retry-After says."""


class TooManyStreams(Declined):
    """As many as may follow the log in one process already do; try again after as long as Retry-After says."""


class InternalError(Declined):
    """Something went wrong on our side; it was logged under the request id."""


class RevocationsBehind(Declined):
    """It cannot be told for the moment which access tokens are revoked, so none is believed; try again."""


STATUSES: Final[dict[type[Exception], int]] = {
    MalformedRequest: 400,
    InvalidHost: 400,
    MalformedBody: 400,
    InvalidFields: 400,
    InvalidParameters: 400,
    InvalidCursor: 400,
    InvalidRange: 400,
    DryRunRefused: 400,
    refusals.InvalidAddress: 400,
    refusals.InvalidDisplayName: 400,
    refusals.InvalidLabel: 400,
    refusals.InvalidPasskey: 400,
    refusals.InvalidLocale: 400,
    refusals.InvalidTimeZone: 400,
    refusals.InvalidPicture: 400,
    refusals.InvalidMetadata: 400,
    refusals.InvalidId: 400,
    refusals.InvalidExternalId: 400,
    refusals.InvalidRegistrationTime: 400,
    refusals.InvalidPasswordHash: 400,
    refusals.WeakPassword: 400,
    refusals.InvalidScope: 400,
    refusals.InvalidExpiry: 400,
    refusals.InvalidLink: 400,
    SignInRequired: 401,
    InvalidAccessToken: 401,
    StepUpRequired: 401,
    refusals.InvalidCredentials: 401,
    refusals.SecondFactorRequired: 401,
    refusals.InvalidChallenge: 401,
    refusals.InvalidSecondFactor: 401,
    refusals.UnknownPasskey: 401,
    refusals.InvalidRefreshToken: 401,
    NotPermitted: 403,
    SessionRequired: 403,
    refusals.ScopeNotHeld: 403,
    refusals.WrongPassword: 403,
    refusals.WrongSecondFactor: 403,
    RegistrationClosed: 403,
    NotFound: 404,
    refusals.NoSuchUser: 404,
    refusals.NoSuchSession: 404,
    refusals.NoSuchRole: 404,
    refusals.NoSuchApiKey: 404,
    refusals.NoSuchInvitation: 404,
    refusals.NoSuchReadModel: 404,
    refusals.NoSuchParkedEvent: 404,
    refusals.NoSuchDelivery: 404,
    refusals.NoSuchPasskey: 404,
    MethodNotAllowed: 405,
    refusals.AddressTaken: 409,
    refusals.IdTaken: 409,
    refusals.LastAdministrator: 409,
    refusals.AddressNotProved: 409,
    refusals.FactorThere: 409,
    refusals.NotEnrolled: 409,
    refusals.NoSecondFactor: 409,
    refusals.PasskeyThere: 409,
    refusals.TooManyPasskeys: 409,
    refusals.TooManyApiKeys: 409,
    RequestInProgress: 409,
    refusals.RebuildUnderWay: 409,
    LogRestored: 410,
    refusals.LinkExpired: 410,
    refusals.LinkSpent: 410,
    refusals.InvitationOver: 410,
    StaleVersion: 412,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    IdempotencyKeyReused: 422,
    refusals.TooManyAttempts: 429,
    TooManyRequests: 429,
    InternalError: 500,
    HasherBusy: 503,
    QueueFull: 503,
    StoreUnavailable: 503,
    ViewBehind: 503,
    ViewParked: 503,
    RevocationsBehind: 503,
    TooManyStreams: 503,
}
