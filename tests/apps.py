"""An authenticator app, as tests hold it in their hands."""

import base64
from datetime import UTC, datetime

from commands.totp import hotp, step_at

__all__ = ["App"]


class App:
    """Shows each code once; the one after it when it is asked again within half a minute, and no more than that."""

    def __init__(self, secret: str) -> None:
        self.secret = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.last = 0

    def code(self, now: datetime | None = None) -> str:
        """The next code at this moment, or at the one that was given."""
        present = step_at(now or datetime.now(UTC))
        self.last = max(present, self.last + 1)
        assert self.last <= present + 1, "it would be refused as that of a clock that is ahead"
        return self.at(self.last)

    def at(self, step: int) -> str:
        """The code of a step."""
        return hotp(self.secret, step)

    def wrong(self) -> str:
        """A code that is not taken at about this moment."""
        present = step_at(datetime.now(UTC))
        near = {self.at(step) for step in range(present - 3, present + 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)
