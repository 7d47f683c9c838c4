"""Why a command was refused: one exception a reason, whose docstring is what the asker is told. Nothing was recorded."""

from collections.abc import Sequence

__all__ = [
    "AddressNotProved",
    "AddressTaken",
    "FactorThere",
    "IdTaken",
    "InvalidAddress",
    "InvalidChallenge",
    "InvalidCredentials",
    "InvalidDisplayName",
    "InvalidExpiry",
    "InvalidExternalId",
    "InvalidId",
    "InvalidLabel",
    "InvalidLink",
    "InvalidLocale",
    "InvalidMetadata",
    "InvalidPasskey",
    "InvalidPasswordHash",
    "InvalidPicture",
    "InvalidRefreshToken",
    "InvalidRegistrationTime",
    "InvalidScope",
    "InvalidSecondFactor",
    "InvalidTimeZone",
    "InvitationOver",
    "LastAdministrator",
    "LinkExpired",
    "LinkSpent",
    "NoSecondFactor",
    "NoSuchApiKey",
    "NoSuchDelivery",
    "NoSuchInvitation",
    "NoSuchParkedEvent",
    "NoSuchPasskey",
    "NoSuchReadModel",
    "NoSuchRole",
    "NoSuchSession",
    "NoSuchUser",
    "NotEnrolled",
    "PasskeyThere",
    "Refused",
    "ScopeNotHeld",
    "SecondFactorRequired",
    "TooManyApiKeys",
    "TooManyAttempts",
    "TooManyPasskeys",
    "UnknownPasskey",
    "WeakPassword",
    "WrongPassword",
    "WrongSecondFactor",
]


class Refused(Exception):
    """The command was refused, and nothing was recorded."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or (type(self).__doc__ or "").split("\n")[0])


class NoSuchUser(Refused):
    """There is no such user."""


class NoSuchSession(Refused):
    """There is no such session."""


class NoSuchRole(Refused):
    """There is no such role."""


class NoSuchReadModel(Refused):
    """There is no such read model."""


class RebuildUnderWay(Refused):
    """This view is being built anew already; `GET /v1/projections` and `muster projections` tell how far that is."""


class NoSuchParkedEvent(Refused):
    """The read model has parked no such event."""


class NoSuchApiKey(Refused):
    """The user has no such API key."""


class NoSuchDelivery(Refused):
    """There is no such delivery."""


class AddressTaken(Refused):
    """Another account has this address."""


class IdTaken(Refused):
    """This id is that of somebody or something else, or was."""


class AddressNotProved(Refused):
    """The user has not proved their address, and cannot administer before."""


class InvalidAddress(Refused):
    """This is not an address that mail can be sent to; give one, as in name@example.com."""


class InvalidDisplayName(Refused):
    """A display name has 1 to 100 characters, not only invisible ones, no controls and four marks on a letter at most."""


class InvalidLocale(Refused):
    """This is no language tag; give one as in en, en-GB or zh-Hant (BCP 47)."""


class InvalidTimeZone(Refused):
    """There is no such time zone; give a name of the IANA database, as in Europe/London."""


class InvalidPicture(Refused):
    """A picture is an https URL of at most 2,048 visible ASCII characters, without a user's name or password in it."""


class InvalidMetadata(Refused):
    """Metadata are at most 64 entries with names of 1 to 64 characters, 8 KiB of JSON in all and 6 levels deep."""


class InvalidId(Refused):
    """The id of a user is a UUID of version 4 or 7 (RFC 9562)."""


class InvalidExternalId(Refused):
    """An id from elsewhere has 1 to 255 characters, no white space around it, and no control or invisible characters."""


class InvalidRegistrationTime(Refused):
    """Nobody has registered in the future, or before 1970."""


class InvalidPasswordHash(Refused):
    """This is no password hash of a kind that is taken: argon2, bcrypt, scrypt or PBKDF2 with SHA-2, as PHC strings or Django's."""


class WeakPassword(Refused):
    """The password is too easy to guess; choose a longer or a less common one."""


class InvalidCredentials(Refused):
    """The address or the password is wrong, or the account cannot be signed in to."""


class SecondFactorRequired(Refused):
    """The password is right, and a second factor is asked for beside it: send it with the challenge, in time.

    `methods` are those by which it may be given, and `expires_in` are seconds. A session that goes on needs no challenge.
    """

    def __init__(
        self, challenge: str = "", methods: Sequence[str] = (), expires_in: int = 0, detail: str | None = None
    ) -> None:
        super().__init__(detail)
        self.challenge = challenge
        self.methods = tuple(methods)
        self.expires_in = expires_in


class InvalidChallenge(Refused):
    """The challenge is none of ours, too old, used or overtaken by a change to the account; begin with the password again."""


class InvalidSecondFactor(Refused):
    """The second factor is not the right one, or was used before."""


class InvalidRefreshToken(Refused):
    """The refresh token is not valid, was used before or belongs to a session that is over; sign in again."""


class InvalidLink(Refused):
    """The link is not one of ours, or was meant for something else; use the newest one as it stands in the mail."""


class LinkExpired(Refused):
    """The link is too old; ask for a new one."""


class LinkSpent(Refused):
    """The link was used before, or a newer one has taken its place."""


class LastAdministrator(Refused):
    """Nobody else administers; make someone else an administrator first."""


class WrongPassword(Refused):
    """The present password is another one."""


class TooManyAttempts(Refused):
    """What was asked for once more was wrong too often; wait a while, as Retry-After says. A password can be reset by mail."""


class WrongSecondFactor(Refused):
    """The code is not the right one, or was used before."""


class FactorThere(Refused):
    """An authenticator app is enrolled already; remove it before another one."""


class NotEnrolled(Refused):
    """No secret of an authenticator app waits to be confirmed; enrol one first."""


class NoSecondFactor(Refused):
    """The account has no second factor."""


class NoSuchPasskey(Refused):
    """There is no such passkey."""


class PasskeyThere(Refused):
    """This passkey was added already."""


class TooManyPasskeys(Refused):
    """There are 20 passkeys already; remove one first."""


class InvalidPasskey(Refused):
    """What the browser answered does not verify: it is for another challenge, page or account, too old, or was altered."""


class InvalidLabel(Refused):
    """A label has 1 to 100 characters, not only invisible ones, no controls and four marks on a letter at most."""


class UnknownPasskey(Refused):
    """Nobody can be signed in with this passkey."""


class InvalidScope(Refused):
    """An API key has one scope at least, and no others than there are."""


class ScopeNotHeld(Refused):
    """A key may do no more than its user, and a scope that was asked for is beyond that."""


class InvalidExpiry(Refused):
    """An API key expires after a day at the earliest, and after as many as are allowed here at the latest."""


class TooManyApiKeys(Refused):
    """The user has as many API keys as there may be; revoke one that is not needed any more."""


class NoSuchInvitation(Refused):
    """There is no such invitation."""


class InvitationOver(Refused):
    """The invitation was accepted or withdrawn, is too old, or whoever sent it may not invite any more; ask for another."""
