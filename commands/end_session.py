"""Ending a session."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchSession
from commands.refresh_tokens import KIND
from commands.session import Session
from commands.unit import Unit
from events.session import SessionEnded, SessionEvent

__all__ = ["EndSession"]


class EndSession(Struct, frozen=True):
    """Sign out: end a session of `holder`, or of anyone for those who may (`holder` None)."""

    session_id: UUID
    holder: UUID | None

    def decide(self, session: Session) -> list[SessionEvent]:
        """The session is over, unless it was already."""
        if session.version == 0 or (self.holder is not None and session.user_id != self.holder):
            raise NoSuchSession
        return [] if session.ended else [SessionEnded()]

    async def perform(self, unit: Unit) -> None:
        """End it and drop its refresh tokens."""
        session = await unit.session(self.session_id)
        events = self.decide(session)
        if not events:
            return
        assert session.user_id is not None
        unit.record_session(self.session_id, session.user_id, *events)
        if secret := await unit.secret(self.session_id, KIND):
            unit.drop_secret(secret)
