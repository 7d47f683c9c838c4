"""Why a command was refused: one exception a reason, whose docstring is what the asker is told. Nothing was recorded."""

__all__ = [
    "AddressTaken",
    "InvalidAddress",
    "InvalidCredentials",
    "InvalidDisplayName",
    "InvalidLink",
    "InvalidRefreshToken",
    "LastAdministrator",
    "LinkExpired",
    "LinkSpent",
    "NoSuchRole",
    "NoSuchSession",
    "NoSuchUser",
    "Refused",
    "WeakPassword",
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


class AddressTaken(Refused):
    """Another account has this address."""


class InvalidAddress(Refused):
    """This is not an address that mail can be sent to; give one, as in name@example.com."""


class InvalidDisplayName(Refused):
    """A display name has 1 to 100 characters, no control characters and no more than four marks on a letter."""


class WeakPassword(Refused):
    """The password is too easy to guess; choose a longer or a less common one."""


class InvalidCredentials(Refused):
    """The address or the password is wrong, or the account cannot be signed in to."""


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
