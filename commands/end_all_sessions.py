"""Ending every session of a user, wherever it was started."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchUser
from commands.refresh_tokens import KIND
from commands.unit import Unit
from commands.user import User
from events.session import SessionEnded
from events.user import SignedOutEverywhere, UserEvent

__all__ = ["EndAllSessions", "end_sessions"]


class EndAllSessions(Struct, frozen=True):
    """Sign out everywhere."""

    user_id: UUID

    def decide(self, user: User, *, living: bool) -> list[UserEvent]:
        """All sessions are over, if there are any."""
        if not user.active:
            raise NoSuchUser
        return [SignedOutEverywhere()] if living else []

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and end each session."""
        user = await unit.user(self.user_id)
        living = bool(await unit.secrets_of(self.user_id, KIND))
        unit.record_user(self.user_id, *self.decide(user, living=living))
        await end_sessions(unit, self.user_id)


async def end_sessions(unit: Unit, user_id: UUID) -> None:
    """End each session that lives, to be recorded after the fact in the user's stream that ends them all.

    That fact alone also ends a session that starts or is refreshed at the same moment.
    """
    for session_id, revision, version in await unit.secrets_of(user_id, KIND):
        unit.expected[session_id] = version
        unit.record_session(session_id, user_id, SessionEnded())
        unit.drop_secret_at(session_id, KIND, user_id, revision)
